"""What `backend.c` calls: a model of the ensemble, loaded and asked inside Triton's own process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from recsys.serving.embedded import metrics
from recsys.serving.python_backend import TritonPythonModel, answer

Tensor = tuple[str, int, tuple[int, ...], Any]
"""A tensor as it crosses: name, data type as Triton numbers it, shape, and a buffer of its bytes."""

_DTYPES: Final[dict[int, np.dtype]] = {8: np.dtype("int32"), 9: np.dtype("int64"), 11: np.dtype("float32")}
"""TRITONSERVER_DataType of tritonserver.h."""
_NUMBERS: Final = {dtype: number for number, dtype in _DTYPES.items()}


class EmbeddedModel(TritonPythonModel):
    """A model whose requests are handed over in Triton's own memory."""

    def metrics_module(self) -> Any:
        """Where a stage's measurements go."""
        return metrics

    def execute(self, requests: Sequence[Sequence[Tensor]]) -> list[Any]:
        """Answer the requests that Triton hands over together.

        Args:
            requests: Each request's inputs. Their buffers are Triton's and gone once the call returns.

        Returns:
            For each request its outputs, a list of tensors with contiguous buffers, or its error's one line.
        """
        batch = [{tensor[0]: _array(tensor) for tensor in each} for each in requests]
        return [
            outcome if isinstance(outcome, str) else [_tensor(*item) for item in outcome.items()]
            for outcome in answer(self._model, self._wired, batch)
        ]


def load(name: str, version: int, config: str) -> EmbeddedModel:
    """Load a model's stage.

    Args:
        name: The model's.
        version: The release.
        config: The model's configuration, a JSON text.

    Raises:
        RecsysError: An artefact is missing or damaged; Triton then refuses the model.
    """
    loaded = EmbeddedModel()
    loaded.initialize({"model_name": name, "model_version": str(version), "model_config": config})
    return loaded


def _array(tensor: Tensor) -> np.ndarray:
    _, number, shape, buffer = tensor
    flat: np.ndarray = np.frombuffer(buffer, dtype=_DTYPES[number])
    return flat.reshape(shape)


def _tensor(name: str, array: np.ndarray) -> Tensor:
    return name, _NUMBERS[array.dtype], array.shape, np.ascontiguousarray(array)
