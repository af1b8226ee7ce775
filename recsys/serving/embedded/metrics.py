"""Triton's custom metrics from inside its process, in the shape of `triton_python_backend_utils`.

The functions are those of tritonserver.h, found in the process itself.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, Final

from recsys.errors import RecsysError

_LABEL_IS_A_STRING: Final = 0
"""TRITONSERVER_PARAMETER_STRING."""


class MetricFamily:
    """A metric's name, help text and kind; its series are `Metric`.

    Args:
        name: Prometheus' name.
        description: Help text.
        kind: `COUNTER` or `GAUGE`.

    Raises:
        RecsysError: Triton refuses it.
    """

    COUNTER: Final = 0
    GAUGE: Final = 1

    def __init__(self, name: str, description: str, kind: int) -> None:
        self._handle = ctypes.c_void_p()
        _call("MetricFamilyNew", ctypes.byref(self._handle), kind, name.encode(), description.encode())

    def Metric(self, labels: Mapping[str, str]) -> _Metric:  # noqa: N802 - the name is Triton's
        """A series of this family.

        Args:
            labels: What tells it from the family's others.
        """
        return _Metric(self, self._handle, labels)

    def __del__(self) -> None:
        if self._handle:
            _call("MetricFamilyDelete", self._handle)


class _Metric:
    """One time series; it keeps its family alive."""

    def __init__(self, family: MetricFamily, handle: ctypes.c_void_p, labels: Mapping[str, str]) -> None:
        self._family = family
        self._handle = ctypes.c_void_p()
        new = _library().TRITONSERVER_ParameterNew
        new.restype = ctypes.c_void_p
        given = [
            new(key.encode(), _LABEL_IS_A_STRING, ctypes.c_char_p(value.encode()))
            for key, value in labels.items()
        ]
        array = (ctypes.c_void_p * len(given))(*given)
        try:
            _call("MetricNew", ctypes.byref(self._handle), handle, array, ctypes.c_uint64(len(given)))
        finally:
            for label in given:
                _library().TRITONSERVER_ParameterDelete(ctypes.c_void_p(label))

    def increment(self, value: float) -> None:
        """Add to it."""
        _call("MetricIncrement", self._handle, ctypes.c_double(value))

    def set(self, value: float) -> None:
        """Replace a gauge's value."""
        _call("MetricSet", self._handle, ctypes.c_double(value))

    def __del__(self) -> None:
        if self._handle:
            _call("MetricDelete", self._handle)


def _library() -> Any:
    return ctypes.CDLL(None)


def _call(name: str, *arguments: Any) -> None:
    """Call one of Triton's functions.

    Raises:
        RecsysError: It returned an error.
    """
    function = getattr(_library(), f"TRITONSERVER_{name}")
    function.restype = ctypes.c_void_p
    if error := function(*arguments):
        words = _library().TRITONSERVER_ErrorMessage
        words.restype = ctypes.c_char_p
        said = words(ctypes.c_void_p(error)).decode()
        _library().TRITONSERVER_ErrorDelete(ctypes.c_void_p(error))
        raise RecsysError("Triton's metrics", said, "See its log")
