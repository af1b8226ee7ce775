"""Looks up the candidates' image and text embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recsys.schema import EMBEDDING_DIM, EMBEDDING_FEATURES, IMAGE_EMBEDDINGS_FILE, TEXT_EMBEDDINGS_FILE
from recsys.serving.catalogue import Catalogue, load_array
from recsys.serving.stage import Arrays


class MultimodalEmbeddingLookup:
    """Item index -> embeddings.

    Args:
        catalogue: Size of the catalogue.
        tables: One float32 [n, 64] for each of `schema.EMBEDDING_FEATURES`.
    """

    def __init__(self, catalogue: Catalogue, tables: Mapping[str, np.ndarray]) -> None:
        self._catalogue = catalogue
        # Row n is all zeros: what a pad reads, never another item's embedding.
        self._tables = {
            name: np.concatenate([table, np.zeros((1, table.shape[1]), table.dtype)])
            for name, table in tables.items()
        }

    def run(self, inputs: Arrays) -> Arrays:
        """Look up.

        Args:
            inputs: items int64 [B, K], item indexes, -1 for none.

        Returns:
            image_embedding and text_embedding float32 [B, K, 64]; zeros where there is no item.
        """
        items = inputs["items"]
        rows = np.where(self._catalogue.holds(items), items, len(self._catalogue.item_ids))
        return {name: table[rows] for name, table in self._tables.items()}


def load(artefacts: Path, parameters: Mapping[str, str]) -> MultimodalEmbeddingLookup:
    """Load the tables.

    Raises:
        BadData: A file is missing, damaged or of another catalogue.
    """
    del parameters
    catalogue = Catalogue.load(artefacts)
    shape = (len(catalogue.item_ids), EMBEDDING_DIM)
    files = (IMAGE_EMBEDDINGS_FILE, TEXT_EMBEDDINGS_FILE)
    tables = {
        name: load_array(artefacts / file, np.dtype("float32"), shape)
        for name, file in zip(EMBEDDING_FEATURES, files, strict=True)
    }
    return MultimodalEmbeddingLookup(catalogue, tables)
