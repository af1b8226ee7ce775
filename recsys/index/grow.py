"""An index that takes up further vectors, or other ones for some of its items, without being trained anew."""

from __future__ import annotations

from dataclasses import replace

import faiss
import numpy as np

from recsys.errors import BadData
from recsys.index import kinds
from recsys.index.index import Index


def extended(index: Index, vectors: np.ndarray) -> Index:
    """The same index with further items behind the others, whose vectors stay bit for bit as they are.

    Args:
        index: Of any kind; it is left as it was.
        vectors: float32 [m, width], of the items n .. n + m - 1.

    Raises:
        BadData: A vector is not finite or has another width.
    """
    grown = faiss.clone_index(index.faiss_index)
    grown.add(_checked(vectors, index.meta.width))
    return Index(grown, replace(index.meta, items=int(grown.ntotal), recall=_recall(index)))


def replaced(index: Index, items: np.ndarray, vectors: np.ndarray) -> Index:
    """The same items with other vectors for some of them, in an index of the same kind.

    Args:
        index: Of any kind; one that keeps its vectors in short form is read back at that accuracy.
        items: Item indexes, int64 [m].
        vectors: float32 [m, width].

    Raises:
        BadData: A vector is not finite or has another width.
    """
    everything = index.faiss_index.reconstruct_n(0, index.meta.items)
    everything[items] = _checked(vectors, index.meta.width)
    rebuilt, parameters = kinds.make(index.meta.kind, everything)
    return Index(rebuilt, replace(index.meta, parameters=parameters, recall=_recall(index)))


def _recall(index: Index) -> float | None:
    """Exact stays exact; what was measured before says nothing of the grown index."""
    return 1.0 if index.meta.kind == kinds.EXACT else None


def _checked(vectors: np.ndarray, width: int) -> np.ndarray:
    if vectors.ndim != 2 or vectors.shape[1] != width or not np.isfinite(vectors).all():
        raise BadData(
            f"item embeddings {vectors.shape}",
            f"not finite, or not [rows, {width}]",
            "Check the items, or train the towers again",
        )
    return np.ascontiguousarray(vectors, np.float32)
