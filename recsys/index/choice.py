"""Which kind of index a catalogue gets: exact while that is cheap, else the cheapest that finds enough."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from recsys.index import kinds
from recsys.index.blocks import exact_top, sample
from recsys.index.effort import recall_of, tune

EXACT_UP_TO: Final = 50_000
"""Items up to which comparing all of them costs about a millisecond on one thread."""

RECALL_FLOOR: Final = 0.98
RECALL_AT: Final = 300
_SAMPLE_QUERIES: Final = 200
_SCAN_UP_TO: Final = 200_000
"""Items up to which scanning all 4-bit codes costs no more than choosing lists of them, about 0.5 ms."""

_SMALLER: Final = ("hnsw", "scalar", "half")
_LARGER: Final = ("scalar", "half")  # a graph takes most of an hour to build, and twice the memory


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
        The exact index up to `EXACT_UP_TO` items; else the first kind, cheapest query first, that fits
        and whose measured recall reaches `RECALL_FLOOR`, with the least effort that does; else the exact
        one; else, where that does not fit, the one with the greatest recall. Cheapest are 4-bit codes, up to
        `_SCAN_UP_TO` items all of them, beyond it in inverted lists. The order is fixed, not timed, so that
        the same vectors give the same index.
    """
    rows, width = vectors.shape
    sizes = {kind: kinds.bytes_of(kind, rows, width) / 1e6 for kind in kinds.KINDS}
    fitting = [kind for kind, size in sizes.items() if memory_mb is None or size <= memory_mb]
    if rows <= EXACT_UP_TO and kinds.EXACT in fitting:
        index, parameters = kinds.make(kinds.EXACT, vectors)
        return Choice(kinds.EXACT, index, parameters, 1.0, f"{rows} items: exact up to {EXACT_UP_TO}")
    asked = sample(vectors if queries is None else queries, _SAMPLE_QUERIES)
    with kinds.many_at_once():
        truth = exact_top(asked, vectors, min(RECALL_AT, rows))
    told = [f"{kind} takes {sizes[kind]:.0f} MB" for kind in kinds.KINDS if kind not in fitting]
    best: Choice | None = None
    for kind in _order(rows):
        if kind not in fitting:
            continue
        index, parameters = kinds.make(kind, vectors)
        recall, effort = tune(index, asked, truth, RECALL_FLOOR)
        told.append(f"{kind} {recall:.4f} in {_cpu_ms(index, asked, truth.shape[1]):.2g} ms")
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


def _order(rows: int) -> tuple[str, ...]:
    """Kinds to try, cheapest query first."""
    return ("pq", "ivf_pq", *_SMALLER) if rows <= _SCAN_UP_TO else ("ivf_pq", "pq", *_LARGER)


def _cpu_ms(index: Any, queries: np.ndarray, k: int) -> float:
    """CPU milliseconds a query, the mean over single ones."""
    begun = time.thread_time()
    for query in queries:
        index.search(query[None], k)
    return (time.thread_time() - begun) / len(queries) * 1e3


def _why(rows: int, told: list[str], memory_mb: float | None) -> str:
    bound = "" if memory_mb is None else f" within {memory_mb:g} MB"
    return f"{rows} items: recall@{RECALL_AT} {', '.join(told)} against a floor of {RECALL_FLOOR}{bound}"


__all__ = ["EXACT_UP_TO", "RECALL_AT", "RECALL_FLOOR", "Choice", "choose", "recall_of"]
