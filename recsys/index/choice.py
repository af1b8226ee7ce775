"""Which kind of index a catalogue gets: exact while that is cheap, else the cheapest that finds enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from recsys.index import kinds

EXACT_UP_TO: Final = 50_000
"""Items up to which comparing all of them costs about a millisecond on one thread."""

RECALL_FLOOR: Final = 0.98
RECALL_AT: Final = 300
_SAMPLE_QUERIES: Final = 200
_CHEAPEST_FIRST: Final = ("hnsw", "ivf_pq", "scalar")


@dataclass(frozen=True)
class Choice:
    """A built index and why it is this one.

    Attributes:
        kind: Name in `kinds.KINDS`.
        faiss_index: The built FAISS index.
        parameters: What it was built with.
        recall: Measured share of the exact top `RECALL_AT`; 1.0 for the exact kind; None if not measured.
        reason: One line for the release's manifest.
    """

    kind: str
    faiss_index: Any
    parameters: dict[str, int]
    recall: float | None
    reason: str


def choose(vectors: np.ndarray, queries: np.ndarray | None = None) -> Choice:
    """Pick and build the index for these vectors.

    Args:
        vectors: float32 [n, width].
        queries: float32 [q, width] like those that will be asked (user embeddings); a seeded sample of
            the vectors themselves when not given.

    Returns:
        The exact index up to `EXACT_UP_TO` items; else the first of HNSW, IVF-PQ and scalar quantisation
        (cheapest query first) whose measured recall reaches `RECALL_FLOOR`; else the exact one.
    """
    rows = len(vectors)
    if rows <= EXACT_UP_TO:
        index, parameters = kinds.make(kinds.EXACT, vectors)
        return Choice(kinds.EXACT, index, parameters, 1.0, f"{rows} items: exact up to {EXACT_UP_TO}")
    sample = _sample(vectors if queries is None else queries)
    exact_index, exact_parameters = kinds.make(kinds.EXACT, vectors)
    truth = exact_index.search(sample, min(RECALL_AT, rows))[1]
    measured: list[str] = []
    for kind in _CHEAPEST_FIRST:
        index, parameters = kinds.make(kind, vectors)
        recall = recall_of(index, sample, truth)
        measured.append(f"{kind} {recall:.4f}")
        if recall >= RECALL_FLOOR:
            return Choice(kind, index, parameters, recall, _why(rows, measured))
        del index
    return Choice(kinds.EXACT, exact_index, exact_parameters, 1.0, _why(rows, measured) + ", none reaches it")


def recall_of(index: Any, queries: np.ndarray, truth: np.ndarray) -> float:
    """Mean share of the true top k that an index finds.

    Args:
        index: A FAISS index.
        queries: float32 [q, width].
        truth: int64 [q, k], ids that the exact index returns.
    """
    found = index.search(queries, truth.shape[1])[1]
    hits = [np.isin(row, best).sum() for row, best in zip(found, truth, strict=True)]
    return float(np.sum(hits) / truth.size)


def _sample(queries: np.ndarray) -> np.ndarray:
    if len(queries) <= _SAMPLE_QUERIES:
        return queries
    rows = np.random.default_rng(0).choice(len(queries), _SAMPLE_QUERIES, replace=False)
    return np.ascontiguousarray(queries[rows])


def _why(rows: int, measured: list[str]) -> str:
    return f"{rows} items: recall@{RECALL_AT} {', '.join(measured)} against a floor of {RECALL_FLOOR}"
