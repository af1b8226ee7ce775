"""Exported towers, as the ranker builds on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from recsys import schema
from recsys.errors import BadData
from recsys.models.examples import Catalogue, Examples

SAVEDMODELS: Final = "savedmodels"
Tensors = dict[str, tf.Tensor]


@dataclass(frozen=True)
class InMemory:
    """A tower that is not exported yet.

    Attributes:
        inputs: Names of what it reads.
        call: Runs it.
    """

    inputs: Sequence[str]
    call: Callable[[Tensors], tf.Tensor]


@dataclass(frozen=True)
class Towers:
    """Frozen retrieval.

    Attributes:
        query: The loaded query tower, or one that is in memory yet.
        candidate: The loaded candidate tower.
        items: Embeddings of the catalogue, float32 [n, 64].
    """

    query: Any
    candidate: Any
    items: np.ndarray

    @classmethod
    def load(cls, directory: Path, catalogue: Catalogue, query: InMemory | None = None) -> Towers:
        """Reads what `recsys.models.export.export_towers` wrote.

        Args:
            directory: Where it wrote to.
            catalogue: All items.
            query: Takes the place of the query tower there.

        Raises:
            BadData: There are no SavedModels of towers.
        """
        folder = Path(directory) / SAVEDMODELS
        candidate = _load(folder / Path(schema.CANDIDATE_TOWER_ONNX).stem)
        query = query or _load(folder / Path(schema.QUERY_TOWER_ONNX).stem)
        inputs = {name: tf.constant(column) for name, column in catalogue.inputs.items()}
        return cls(query, candidate, _run(candidate, inputs).numpy())

    def readable(self, rows: Examples) -> Examples:
        """Rows that hold what the query tower reads: with the clicks before them, if it looks back."""
        return rows.looking_back() if "recent_items" in _inputs(self.query) else rows

    def users(self, inputs: Tensors) -> tf.Tensor:
        """Each row's query embedding, float32 [rows, 64]."""
        return _run(self.query, inputs)

    def scores(self, inputs: Tensors) -> tf.Tensor:
        """Inner product of each row's query embedding with every item's, float32 [rows, n]."""
        return tf.matmul(self.users(inputs), tf.constant(self.items), transpose_b=True)

    def vector(self, inputs: Tensors) -> tf.Tensor:
        """Each row's item embedding, float32 [rows, 64]."""
        return _run(self.candidate, inputs)


def _inputs(tower: Any) -> list[str]:
    if isinstance(tower, InMemory):
        return list(tower.inputs)
    return list(tower.signatures["serving_default"].structured_input_signature[1])


def _run(tower: Any, inputs: Tensors) -> tf.Tensor:
    given = {name: inputs[name] for name in _inputs(tower)}
    if isinstance(tower, InMemory):
        return tower.call(given)
    (embedding,) = tower.serve(given).values()
    return embedding


def _load(path: Path) -> Any:
    if not path.is_dir():
        raise BadData(str(path), "there is no exported tower", "Train retrieval first")
    return tf.saved_model.load(str(path))
