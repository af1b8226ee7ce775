"""What `backend.c` calls: a model of the ensemble, loaded and asked inside Triton's own process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from recsys.serving.embedded import metrics
from recsys.serving.embedded.relay import RELAY, References, RelayedStage
from recsys.serving.graph import MODELS
from recsys.serving.python_backend import TritonPythonModel, zeros
from recsys.serving.stage import Arrays

Tensor = tuple[str, int, tuple[int, ...], Any]
"""A tensor as it crosses: name, data type as Triton numbers it, shape, and a buffer of its bytes."""

_DTYPES: Final[dict[int, np.dtype]] = {8: np.dtype("int32"), 9: np.dtype("int64"), 11: np.dtype("float32")}
"""TRITONSERVER_DataType of tritonserver.h."""
_NUMBERS: Final = {dtype: number for number, dtype in _DTYPES.items()}


class EmbeddedModel(TritonPythonModel):
    """A model whose tensors stay in the process."""

    def place(self) -> tuple[int, int, tuple[str, ...]]:
        """What decides whose turn it is.

        Returns:
            Its place among the ensemble's models, users that it may meet at once, and the names of the models
            whose outputs it reads.
        """
        names = [each.name for each in MODELS]
        order = names.index(self._model.name) if self._model.name in names else 0
        made = {tensor: each.name for each in MODELS for tensor in each.outputs.values()}
        read = dict.fromkeys(made[tensor] for tensor in self._model.inputs.values() if tensor in made)
        return order, self._most_rows, tuple(read)

    def metrics_module(self) -> Any:
        """Where a stage's measurements go."""
        return metrics

    def answer(self, requests: Sequence[int], tensors: Sequence[Tensor]) -> list[tuple[int, Any]]:
        """Answer the requests that wait.

        Args:
            requests: Rows of each.
            tensors: Their inputs, one request's below the other's.

        Returns:
            For so many of them their outputs in the same way, tensors with contiguous buffers, or one line
            that says why there are none.
        """
        inputs = {name: _array(number, shape, buffer) for name, number, shape, buffer in tensors}
        return [
            (count, made if isinstance(made, str) else [_tensor(*item) for item in made.items()])
            for count, made in self._relayed.answer(inputs, requests)
        ]

    def example(self, config: Mapping[str, Any], parameters: Mapping[str, str]) -> Arrays:
        """One row of zeros for each input of the stage; see `TritonPythonModel`."""
        self._most_rows = int(config["max_batch_size"])
        references = References.of(self._model, parameters)
        given = {name: array for name, array in zeros(config).items() if name not in references.read}
        return given | references.zeros

    def connect(self, parameters: Mapping[str, str]) -> None:
        """Learn what the stage reads by reference; see `TritonPythonModel`."""
        references = References.of(self._model, parameters)
        self._relayed = RelayedStage(self._model, self._stage, references, RELAY)


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


def _array(number: int, shape: tuple[int, ...], buffer: Any) -> np.ndarray:
    flat: np.ndarray = np.frombuffer(buffer, dtype=_DTYPES[number])
    return flat.reshape(shape)


def _tensor(name: str, array: np.ndarray) -> Tensor:
    return name, _NUMBERS[array.dtype], array.shape, np.ascontiguousarray(array)
