"""Exported towers, as the training of the ranker uses them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from recsys import schema
from recsys.errors import BadData
from recsys.models.examples import Catalogue

SAVEDMODELS: Final = "savedmodels"


@dataclass(frozen=True)
class Towers:
    """Frozen retrieval.

    Attributes:
        query: The loaded query tower.
        names: Its inputs.
        items: Embeddings of the catalogue, float32 [n, 64].
        tables: The query tower's embedding table of each category, float32 [codes, 64].
    """

    query: Any
    names: list[str]
    items: np.ndarray
    tables: dict[str, np.ndarray]

    @classmethod
    def load(cls, directory: Path, catalogue: Catalogue) -> Towers:
        """Reads what `recsys.models.export.export_towers` wrote.

        Raises:
            BadData: There are no SavedModels of towers.
        """
        query, candidate = (
            _load(Path(directory) / SAVEDMODELS / Path(file).stem)
            for file in (schema.QUERY_TOWER_ONNX, schema.CANDIDATE_TOWER_ONNX)
        )
        inputs = {name: tf.constant(catalogue.inputs[name]) for name in _names(candidate)}
        items = candidate.serve(inputs)["item_embedding"].numpy()
        tables = {name: table.numpy() for name, table in query.tables.items()}
        return cls(query, _names(query), items, tables)

    def scores(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Inner product of each row's query embedding with every item, float32 [rows, n]."""
        query = self.query.serve({name: inputs[name] for name in self.names})["user_embedding"]
        return tf.matmul(query, tf.constant(self.items), transpose_b=True)


def _names(tower: Any) -> list[str]:
    return list(tower.signatures["serving_default"].structured_input_signature[1])


def _load(path: Path) -> Any:
    if not path.is_dir():
        raise BadData(str(path), "there is no exported tower", "Train retrieval first")
    return tf.saved_model.load(str(path))
