"""Item embeddings of a whole catalogue from the exported candidate tower."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from recsys import schema
from recsys.errors import BadData
from recsys.features.arrays import ArrayWorkflow
from recsys.serving.onnx_model import OnnxModel

_ROWS = 4096
_INPUTS = (*schema.ITEM_FEATURES, *schema.EMBEDDING_FEATURES)


def item_vectors(
    candidate_tower: Path,
    workflow: ArrayWorkflow,
    items: pd.DataFrame,
    image: np.ndarray,
    text: np.ndarray,
) -> np.ndarray:
    """Runs every item through the candidate tower.

    Args:
        candidate_tower: The ONNX file.
        workflow: The fitted item workflow.
        items: Columns of `schema.ITEM_RAW`, n rows.
        image: float32 [n, 64], image embeddings in the order of `items`.
        text: float32 [n, 64], text embeddings in the order of `items`.

    Returns:
        float32 [n, 64], row i the embedding of item index i.

    Raises:
        BadData: The tower cannot be loaded, or gives a value that is not finite.
    """
    model = OnnxModel(candidate_tower, "item_embedding", _INPUTS)
    features = workflow.transform({name: items[name].to_numpy() for name in schema.ITEM_RAW})
    columns = {name: values.reshape(-1, 1) for name, values in features.items()}
    columns |= dict(zip(schema.EMBEDDING_FEATURES, (image, text), strict=True))
    blocks = [
        model.run({name: values[at : at + _ROWS] for name, values in columns.items()})
        for at in range(0, len(items), _ROWS)
    ]
    vectors: np.ndarray = np.concatenate(blocks)
    if not np.isfinite(vectors).all():
        raise BadData(str(candidate_tower), "gives embeddings that are not finite", "Train the towers again")
    return vectors
