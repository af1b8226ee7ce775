"""Which kind of index a catalogue gets: exact while that is cheap, else the cheapest that finds enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import faiss
import numpy as np

from recsys.index import kinds
from recsys.index.effort import recall_of, tune

EXACT_UP_TO: Final = 50_000
"""Items up to which comparing all of them costs about a millisecond on one thread."""

RECALL_FLOOR: Final = 0.98
RECALL_AT: Final = 300
_SAMPLE_QUERIES: Final = 200
_CHEAPEST_FIRST: Final = ("hnsw", "ivf_pq", "scalar", "half")
_GRAPH_UP_TO: Final = 2_000_000
"""Items up to which a graph is tried: it takes most of an hour to build beyond."""


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


def choose(vectors: np.ndarray, queries: np.ndarray | None = None, memory_mb: float | None = None) -> Choice:
    """Pick and build the index for these vectors.

    Args:
        vectors: float32 [n, width].
        queries: float32 [q, width] like those that will be asked (user embeddings); a seeded sample of
            the vectors themselves when not given.
        memory_mb: Most megabytes (10^6 bytes) that the index may take; None for any.

    Returns:
        The exact index up to `EXACT_UP_TO` items; else the first of HNSW, IVF-PQ and scalar quantisation
        (cheapest query first) that fits and whose measured recall reaches `RECALL_FLOOR`, with the least
        effort that does; else the exact one; else, where that does not fit, the one with the greatest recall.
    """
    rows, width = vectors.shape
    sizes = {kind: kinds.bytes_of(kind, rows, width) / 1e6 for kind in kinds.KINDS}
    fitting = [kind for kind, size in sizes.items() if memory_mb is None or size <= memory_mb]
    if rows <= EXACT_UP_TO and kinds.EXACT in fitting:
        index, parameters = kinds.make(kinds.EXACT, vectors)
        return Choice(kinds.EXACT, index, parameters, 1.0, f"{rows} items: exact up to {EXACT_UP_TO}")
    sample = _sample(vectors if queries is None else queries)
    with kinds.many_at_once():
        truth = faiss.knn(sample, vectors, min(RECALL_AT, rows), metric=faiss.METRIC_INNER_PRODUCT)[1]
    told = [f"{kind} takes {sizes[kind]:.0f} MB" for kind in kinds.KINDS if kind not in fitting]
    best: Choice | None = None
    for kind in _CHEAPEST_FIRST:
        if kind not in fitting or (kind == "hnsw" and rows > _GRAPH_UP_TO):
            continue
        index, parameters = kinds.make(kind, vectors)
        recall, effort = tune(index, sample, truth, RECALL_FLOOR)
        told.append(f"{kind} {recall:.4f}")
        made = Choice(kind, index, parameters | effort, recall, _why(rows, told, memory_mb))
        if recall >= RECALL_FLOOR:
            return made
        if kinds.EXACT not in fitting and (best is None or recall > (best.recall or 0)):
            best = made
        del index, made
    reason = _why(rows, told, memory_mb) + ", none reaches it"
    if best is not None:
        return Choice(best.kind, best.faiss_index, best.parameters, best.recall, reason)
    index, parameters = kinds.make(kinds.EXACT, vectors)
    return Choice(kinds.EXACT, index, parameters, 1.0, reason)


def _sample(queries: np.ndarray) -> np.ndarray:
    if len(queries) > _SAMPLE_QUERIES:
        rows = np.random.default_rng(0).choice(len(queries), _SAMPLE_QUERIES, replace=False)
        queries = queries[np.sort(rows)]
    return np.ascontiguousarray(queries, np.float32)


def _why(rows: int, told: list[str], memory_mb: float | None) -> str:
    bound = "" if memory_mb is None else f" within {memory_mb:g} MB"
    return f"{rows} items: recall@{RECALL_AT} {', '.join(told)} against a floor of {RECALL_FLOOR}{bound}"


__all__ = ["EXACT_UP_TO", "RECALL_AT", "RECALL_FLOOR", "Choice", "choose", "recall_of"]
