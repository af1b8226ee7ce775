"""Maximal marginal relevance: answers whose items are good and unlike each other.

Carbonell & Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing
summaries", SIGIR 1998: items are chosen one by one, each the greatest in

    (1 - weight) * relevance - weight * (greatest similarity to an item chosen before)

Relevance is scaled to 0..1 over a user's candidates, so that a weight means the same whatever the scores are;
similarity is the cosine of the items' image and text embeddings.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.schema import IMAGE_EMBEDDINGS_FILE, NO_ITEM, TEXT_EMBEDDINGS_FILE

Floats = NDArray[np.floating]


def mmr(relevance: Floats, vectors: Floats, count: int, weight: Floats) -> NDArray[np.int64]:
    """Choose items one by one.

    Args:
        relevance: [B, K], greater is better, any finite scale; -inf where there is no item.
        vectors: [B, K, D], of length one or zero; their inner product is the similarity.
        count: How many to choose, at most K.
        weight: [B], 0: by relevance alone, ties in the given order; 1: by difference alone, after the best.

    Returns:
        Columns int64 [B, count] in the order they were chosen, none twice; where there are fewer items the
        rest are columns without one.
    """
    rows = np.arange(len(relevance))
    worth_alone = scaled(relevance)
    trade = np.asarray(weight, np.float64)[:, None]
    nearest = np.full(worth_alone.shape, -np.inf)
    left = np.ones(worth_alone.shape, np.bool_)
    chosen = np.empty((len(rows), count), np.int64)
    for step in range(count):
        if step == 0:
            worth = worth_alone
        else:
            last = vectors[rows, chosen[:, step - 1], :, None]
            similarity = np.matmul(vectors, last)[:, :, 0]
            np.maximum(nearest, similarity, out=nearest)
            worth = (1 - trade) * worth_alone - trade * nearest
        # A pad is worse than any item, and what is chosen is worse than a pad.
        worth = np.where(np.isfinite(relevance), worth, -1e3)
        chosen[:, step] = np.where(left, worth, -np.inf).argmax(axis=1)
        left[rows, chosen[:, step]] = False
    return chosen


def unit_vectors(*tables: Floats) -> NDArray[np.float32]:
    """Rows of several embeddings as one whose inner product is the mean of their cosines.

    Args:
        tables: [..., d] each; a row of zeros stands for what is missing and is like nothing.

    Returns:
        float32 [..., sum of d], each row of length one, or zero where all is missing.
    """
    parts = [_normalised(np.asarray(table, np.float32)) for table in tables]
    return _normalised(np.concatenate(parts, axis=-1))


class ItemVectors:
    """What items are like, read from a release when first asked for.

    Args:
        artefacts: Folder of the release.
    """

    def __init__(self, artefacts: Path) -> None:
        self._files = [artefacts / name for name in (IMAGE_EMBEDDINGS_FILE, TEXT_EMBEDDINGS_FILE)]
        self._tables: list[Floats] = []

    def of(self, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Their vectors.

        Args:
            items: int64 [B, K], item indexes, -1 for none.

        Returns:
            float32 [B, K, 128]; zeros where there is no item.
        """
        if not self._tables:
            # Mapped, not read: until somebody wants diversity, the tables cost no memory here.
            self._tables = [np.load(path, mmap_mode="r", allow_pickle=False) for path in self._files]
        there = items != NO_ITEM
        vectors = unit_vectors(*(table[np.where(there, items, 0)] for table in self._tables))
        found: NDArray[np.float32] = np.where(there[:, :, None], vectors, np.float32(0))
        return found


def scaled(relevance: Floats) -> NDArray[np.float64]:
    """Each row's finite values between 0 and 1, [B, K]; 1 where they are alike and where there is none."""
    there = np.isfinite(relevance)
    values = np.asarray(relevance, np.float64)
    greatest = np.where(there, values, -np.inf).max(axis=1, keepdims=True)
    greatest = np.where(np.isfinite(greatest), greatest, 0.0)
    behind = np.where(there, greatest - np.where(there, values, 0.0), 0.0)
    span = behind.max(axis=1, keepdims=True)
    scaled: NDArray[np.float64] = 1 - behind / np.where(span > 0, span, 1)
    return scaled


def _normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return unit
