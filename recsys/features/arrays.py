"""Fitted workflows as NumPy sees them: what serving runs in place of NVTabular.

A workflow is two files, `<name>.json` and `<name>.npz`, written by `recsys.features.export`: for each output
the input it is made from and the steps that make it. They hold no pickle and no path. The answers equal
NVTabular's value by value; a call takes tens of microseconds where NVTabular's takes tens of milliseconds.

The functions of time are here too and the workflows use the same ones, so that there is one formula.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from recsys.errors import BadData, BadUse

FORMAT: Final = 1
_DENSE: Final = 65_536
"""Values that a vocabulary may span to be a table of all of them, however few it holds."""
OUT_OF_VOCABULARY: Final = 2
"""Categorify's code of a value it did not see; 0 pads, 1 is null, 3 and up are known values."""

_DAMAGE: Final = (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError, AttributeError)
"""What reading JSON or arrays that are absent, cut off or not a workflow raises."""

Array = NDArray[Any]
Step = Callable[[Array], Array]


def hour_sin(timestamp: Any) -> Any:
    """Sine of the hour of the day, UTC, of unix seconds; Series or array, any shape, to float32.

    Cyclic encoding puts hour h at the angle 2 pi h / 24, so that 23 h lies next to 0 h (scikit-learn's user
    guide, "Time-related feature engineering", trigonometric features).
    """
    return np.sin(_hour(timestamp) * (2 * np.pi / 24)).astype(np.float32)


def hour_cos(timestamp: Any) -> Any:
    """Cosine of the hour of the day; see `hour_sin`."""
    return np.cos(_hour(timestamp) * (2 * np.pi / 24)).astype(np.float32)


def weekday_sin(timestamp: Any) -> Any:
    """Sine of the day of the week, UTC, Monday at the angle 0; see `hour_sin`."""
    return np.sin(_weekday(timestamp) * (2 * np.pi / 7)).astype(np.float32)


def weekday_cos(timestamp: Any) -> Any:
    """Cosine of the day of the week; see `weekday_sin`."""
    return np.cos(_weekday(timestamp) * (2 * np.pi / 7)).astype(np.float32)


def _hour(timestamp: Any) -> Any:
    return timestamp // 3600 % 24


def _weekday(timestamp: Any) -> Any:
    return (timestamp // 86_400 + 3) % 7  # 1970-01-01 was a Thursday


CLOCK: Final[Mapping[str, Callable[[Any], Any]]] = {
    function.__name__: function for function in (hour_sin, hour_cos, weekday_sin, weekday_cos)
}


class ArrayWorkflow:
    """A fitted workflow over arrays.

    Attributes:
        inputs: Name and dtype of each column it reads.
        outputs: Name and dtype of each column it gives.
    """

    def __init__(
        self,
        inputs: Mapping[str, np.dtype[Any]],
        outputs: Mapping[str, np.dtype[Any]],
        chains: Mapping[str, tuple[str, list[Step]]],
    ) -> None:
        """Takes the parts of `load`; `chains` names each output's input and steps."""
        self.inputs = dict(inputs)
        self.outputs = dict(outputs)
        self._chains = dict(chains)

    @classmethod
    def load(cls, directory: str | Path, name: str) -> ArrayWorkflow:
        """Reads `<directory>/<name>.json` and `.npz`.

        Raises:
            BadData: A file is absent, damaged, or of a format that this version does not know.
        """
        path = Path(directory) / f"{name}.json"
        try:
            spec = json.loads(path.read_text(encoding="utf-8"))
            with np.load(path.with_suffix(".npz"), allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
            if spec["format"] != FORMAT:
                raise BadData(
                    str(path), f"format {spec['format']}, not {FORMAT}", "Export the workflow again"
                )
            chains = {
                output: (chain["input"], [_step(step, arrays) for step in chain["steps"]])
                for output, chain in spec["outputs"].items()
            }
            inputs = {column: np.dtype(dtype) for column, dtype in spec["inputs"].items()}
            outputs = {output: np.dtype(chain["dtype"]) for output, chain in spec["outputs"].items()}
        except _DAMAGE as error:
            cause = f"cannot be read as a workflow ({type(error).__name__}: {error})"
            raise BadData(str(path), cause, "Export the workflow again") from error
        return cls(inputs, outputs, chains)

    def transform(self, columns: Mapping[str, Array]) -> dict[str, Array]:
        """Applies the workflow.

        Args:
            columns: The `inputs`, each of any shape; integers where int64 is wanted, any real numbers where
                float32 is. Other columns are ignored. Nulls among integers are refused, as NVTabular does;
                a NaN goes through the float columns as it does there.

        Returns:
            The `outputs`, each in the shape of the input that it is made from.

        Raises:
            BadUse: A column is missing or holds another kind of number.
        """
        given = {name: _as_dtype(name, columns, dtype) for name, dtype in self.inputs.items()}
        result = {}
        for output, (name, steps) in self._chains.items():
            values = given[name]
            for step in steps:
                values = step(values)
            result[output] = values
        return result


def _as_dtype(name: str, columns: Mapping[str, Array], dtype: np.dtype[Any]) -> Array:
    if name not in columns:
        raise BadUse(f"column {name}", f"missing among {sorted(columns)}", "Give every input of the workflow")
    values = np.asarray(columns[name])
    if isinstance(columns[name], np.ma.MaskedArray):
        raise BadUse(f"column {name}", "is a masked array", "Fill the nulls: the array form knows none")
    if values.dtype == dtype:
        return values
    fits = np.can_cast(values.dtype, dtype, "safe") if dtype.kind == "i" else values.dtype.kind in "fiub"
    if not fits:
        raise BadUse(f"column {name}", f"holds {values.dtype}", f"Give {dtype}")
    return values.astype(dtype)


@dataclass(frozen=True, eq=False)
class _Lookup:
    """Codes of known values, `OUT_OF_VOCABULARY` for the rest.

    `values` [v] is sorted; `codes` [v + 1] has `OUT_OF_VOCABULARY` last, where the misses are sent.
    """

    values: Array
    codes: Array

    @classmethod
    def of(cls, values: Array, codes: Array) -> Step:
        """A table of all values from the least to the greatest where that is not too long, else a search."""
        lookup = cls(values, np.append(codes, OUT_OF_VOCABULARY))
        if values.dtype != np.int64 or not len(values):
            return lookup
        span = int(values[-1]) - int(values[0]) + 1
        if span > max(_DENSE, 4 * len(values)):
            return lookup
        every = values[0] + np.arange(span)
        return _Table(values[0], np.append(lookup(every), OUT_OF_VOCABULARY))

    def __call__(self, x: Array) -> Array:
        if not len(self.values):
            return np.full(x.shape, OUT_OF_VOCABULARY, dtype=np.int64)
        place = self.values.searchsorted(x)
        found = self.values.take(place, mode="clip") == x
        codes: Array = self.codes.take(np.where(found, place, -1))
        return codes


@dataclass(frozen=True, eq=False)
class _Table:
    """What `_Lookup` gives, by place: `codes` of the values from `least` on, `OUT_OF_VOCABULARY` last."""

    least: np.int64
    codes: Array

    def __call__(self, x: Array) -> Array:
        # As unsigned numbers those below the least are beyond the last; no difference of two int64 is lost.
        place = (x - self.least).view(np.uint64)
        codes: Array = self.codes.take(np.minimum(place, np.uint64(len(self.codes) - 1)).view(np.int64))
        return codes


@dataclass(frozen=True, eq=False)
class _Normalize:
    mean: np.float32
    scale: np.float32

    def __call__(self, x: Array) -> Array:
        normalized: Array = (x - self.mean) / self.scale
        return normalized


@dataclass(frozen=True, eq=False)
class _Bucketize:
    boundaries: Array

    def __call__(self, x: Array) -> Array:
        return np.asarray(self.boundaries.searchsorted(x, side="right"), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Clock:
    """A function of time that depends on the hour or weekday alone, as a table."""

    index: Callable[[Array], Array]
    table: Array

    def __call__(self, x: Array) -> Array:
        values: Array = self.table.take(self.index(x))
        return values


def _log(x: Array) -> Array:
    logarithm: Array = np.log(x + np.float32(1))  # NVTabular's LogOp: log(1 + x), in float32
    return logarithm


def _step(spec: Mapping[str, Any], arrays: Mapping[str, Array]) -> Step:
    """One step of a chain, with what can be computed beforehand computed."""
    op = spec["op"]
    if op == "categorify":
        values, codes = arrays[f"{spec['vocabulary']}.values"], arrays[f"{spec['vocabulary']}.codes"]
        return _Lookup.of(values, codes)
    if op == "normalize":
        return _Normalize(np.float32(spec["mean"]), np.float32(spec["scale"]))
    if op == "bucketize":
        return _Bucketize(np.asarray(spec["boundaries"], dtype=np.float64))
    if op == "log":
        return _log
    if op == "clock" and spec["function"] in CLOCK:
        hourly = spec["function"].startswith("hour")
        moments = np.arange(24) * 3600 if hourly else (np.arange(7) + 4) * 86_400  # 1970-01-05: a Monday
        return _Clock(_hour if hourly else _weekday, CLOCK[spec["function"]](moments))
    raise ValueError(f"unknown step {dict(spec)}")
