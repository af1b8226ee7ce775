"""All stages in one process, the same functions as in Triton: for tests, evaluation and as speed floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import redis

from recsys.errors import BadUse
from recsys.serving.graph import ENSEMBLE_INPUTS, FUSED_MODEL, Model
from recsys.serving.stage import Arrays, close_stages, load_stages, run_stage
from recsys.serving.store import Store
from recsys.serving.tensors import TENSORS
from recsys.settings import Settings


class Chain:
    """The ensemble without Triton.

    Args:
        artefacts_dir: Folder of one release.
        settings: Widths and parameters.
        client: Client of Valkey; without one the stages that ask it answer from their fallbacks.

    Raises:
        RecsysError: An artefact is missing or damaged.
    """

    def __init__(self, artefacts_dir: Path, settings: Settings, client: redis.Redis | None = None) -> None:
        self._settings = settings.serving
        store = None if client is None else Store.of(client, settings)
        parameters = {name: str(getattr(settings.serving, name)) for name in FUSED_MODEL.parameters}
        self._stages = load_stages(artefacts_dir, parameters, store)

    def run(
        self,
        inputs: Mapping[str, np.ndarray],
        given: Mapping[str, np.ndarray] | None = None,
        made: Mapping[str, Callable[[Arrays], np.ndarray]] | None = None,
    ) -> dict[str, np.ndarray]:
        """Answer a batch of users.

        Args:
            inputs: `user_id` and optionally the others of `ENSEMBLE_INPUTS`, [B] or [B, width], any B >= 1.
            given: Tensors that are known already, [B, ...]; the stage that would produce them is not run.
                Its flags are then zero; its other outputs must all be given.
            made: Functions that make a tensor, [B, ...], out of those before it, in place of what its stage
                put out.

        Returns:
            Every tensor of the graph by name, among them the answer: `ordered_ids` int64 [B, N],
            `ordered_scores` float32 [B, N] and `degraded` int32 [B, 1].

        Raises:
            BadUse: An input or a given tensor is missing, unknown or of the wrong shape.
        """
        tensors = self._request(inputs)
        rows = len(tensors["user_id"])
        known = {name: self._shaped(name, array, rows) for name, array in (given or {}).items()}
        for model, stage in self._stages:
            if known.keys() & set(model.outputs.values()):
                tensors |= _replaced(model, known, rows)
            else:
                tensors |= run_stage(model, stage, tensors)
            for name in (made or {}).keys() & set(model.outputs.values()):
                tensors[name] = self._shaped(name, (made or {})[name](tensors), rows)
        return tensors

    def close(self) -> None:
        """Stop what the stages run in the background."""
        close_stages(stage for _, stage in self._stages)

    def _request(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        if unknown := sorted(set(inputs) - set(ENSEMBLE_INPUTS)):
            raise BadUse(", ".join(unknown), "not an input", f"Give {', '.join(ENSEMBLE_INPUTS)}")
        if "user_id" not in inputs or not np.size(inputs["user_id"]):
            raise BadUse("user_id", "missing or empty", "Give at least one user")
        rows = len(np.asarray(inputs["user_id"]))
        request = {}
        for name in ENSEMBLE_INPUTS:
            tensor = TENSORS[name]
            if name in inputs:
                request[name] = self._shaped(name, inputs[name], rows)
            else:
                request[name] = tensor.neutral(rows, tensor.dims(self._settings))
        return request

    def _shaped(self, name: str, array: np.ndarray, rows: int) -> np.ndarray:
        if name not in TENSORS:
            raise BadUse(name, "not a tensor of the graph", "See recsys.serving.tensors")
        tensor = TENSORS[name]
        shape = (rows, *tensor.dims(self._settings))
        array = np.asarray(array, tensor.dtype)
        if array.size != np.prod(shape):
            raise BadUse(name, f"has shape {list(array.shape)}", f"Give {list(shape)}")
        return array.reshape(shape)


def _replaced(model: Model, known: Arrays, rows: int) -> Arrays:
    """A model's outputs out of what is given; flags that are not are zero."""
    outputs = {}
    for name in model.outputs.values():
        if name in known:
            outputs[name] = known[name]
        elif name.endswith("_flags"):
            outputs[name] = np.zeros((rows, 1), TENSORS[name].dtype)
        else:
            raise BadUse(name, f"{model.name} is replaced but not all it makes is given", "Give it too")
    return outputs
