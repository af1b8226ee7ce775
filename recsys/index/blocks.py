"""Vectors in a file that is larger than memory, read a block at a time."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any, Final

import faiss
import numpy as np

_ROWS: Final = 131_072
"""Of a block: 32 MB of 64 float32."""
_PART: Final = 2_048
"""Rows of a sample that are read at a time: the system maps 64 kB around each."""


def blocks(vectors: np.ndarray, rows: int = _ROWS) -> Iterator[np.ndarray]:
    """One block after the other, as FAISS takes them.

    What was read of a mapped file is given back to the system (madvise(2), MADV_DONTNEED), so that the
    process never holds more than a block of it.

    Args:
        vectors: Of any float type, [n, width].
        rows: Of a block.

    Yields:
        float32 [at most `rows`, width], C-contiguous.
    """
    for at in range(0, len(vectors), rows):
        yield np.ascontiguousarray(vectors[at : at + rows], np.float32)
        _give_back(vectors)


def sample(vectors: np.ndarray, wanted: int) -> np.ndarray:
    """A seeded sample of the rows, in their order; all of them where there are no more.

    Args:
        vectors: Of any float type, [n, width].
        wanted: How many.

    Returns:
        float32 [at most `wanted`, width].
    """
    if len(vectors) <= wanted:
        return np.ascontiguousarray(vectors, np.float32)
    rows = np.sort(np.random.default_rng(0).choice(len(vectors), wanted, replace=False))
    taken = np.empty((wanted, vectors.shape[1]), np.float32)
    for at in range(0, wanted, _PART):
        taken[at : at + _PART] = vectors[rows[at : at + _PART]]
        _give_back(vectors)
    return taken


def exact_top(queries: np.ndarray, vectors: np.ndarray, k: int, block: int = _ROWS) -> np.ndarray:
    """What the exact search finds, a block of the vectors at a time.

    Args:
        queries: float32 [q, width].
        vectors: Of any float type, [n, width].
        k: How many, at most n.
        block: Vectors that are compared at a time.

    Returns:
        int64 [q, k], best first.
    """
    found = faiss.ResultHeap(len(queries), k, keep_max=True)
    start = 0
    for part in blocks(vectors, block):
        scores, rows = faiss.knn(queries, part, min(k, len(part)), metric=faiss.METRIC_INNER_PRODUCT)
        found.add_result(scores, rows + start)
        start += len(part)
    found.finalize()
    best: np.ndarray = found.I
    return best


def _give_back(vectors: np.ndarray) -> None:
    mapped: Any = getattr(vectors, "_mmap", None)
    if isinstance(mapped, mmap.mmap) and getattr(vectors, "mode", "c") != "c":  # c: changes are here alone
        mapped.madvise(mmap.MADV_DONTNEED)
