"""The Merlin schema that the towers and the ranker are built from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from merlin.schema import ColumnSchema, Schema, Tags

from recsys import schema
from recsys.features.workflows import Workflows

Features = dict[str, np.ndarray]
"""Feature name -> [rows, 1] array in its schema dtype; multimodal embeddings are float32 [rows, 64]."""


def columns(workflows: Workflows, names: Iterable[str], embeddings_as: Tags = Tags.EMBEDDING) -> Schema:
    """Merlin's description of some features: tags and, for categories, the number of codes.

    Args:
        workflows: The fitted workflows.
        names: Names of `schema.USER_FEATURES`, `CONTEXT_FEATURES`, `ITEM_FEATURES` or `EMBEDDING_FEATURES`.
        embeddings_as: Tag of the image and text embedding: `EMBEDDING` for Merlin's pretrained-embedding
            blocks, `CONTINUOUS` for the DLRM, which knows only categories and numbers.

    Returns:
        The columns in the order of `names`.
    """
    known = {column.name: column for column in workflows.full.output_schema}
    for name in schema.EMBEDDING_FEATURES:
        # As a number it must not look like a list, which Merlin would give a third axis.
        dims = (None, schema.EMBEDDING_DIM) if embeddings_as is Tags.EMBEDDING else None
        known[name] = ColumnSchema(name, dtype=np.float32, dims=dims, tags=[Tags.ITEM, embeddings_as])
    return Schema([known[name] for name in names])


def features(frame: dict[str, np.ndarray], names: dict[str, np.dtype]) -> Features:
    """Columns as the models take them: [rows, 1], in schema dtype.

    Args:
        frame: Anything that gives a column by name.
        names: Feature name -> dtype, as in `schema`.
    """
    return {name: np.asarray(frame[name], dtype=dtype).reshape(-1, 1) for name, dtype in names.items()}
