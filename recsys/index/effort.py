"""How hard an approximate index looks: the least effort that finds enough."""

from __future__ import annotations

from typing import Any, Final

import faiss
import numpy as np

_STEPS: Final = 10


def tune(index: Any, queries: np.ndarray, truth: np.ndarray, floor: float) -> tuple[float, dict[str, int]]:
    """Double a search's effort until it finds enough.

    Args:
        index: A FAISS index of one of `recsys.index.kinds`; keeps the effort that is found.
        queries: float32 [q, width].
        truth: int64 [q, k], what the exact index returns.
        floor: Recall that is enough.

    Returns:
        The recall that is reached, and the parameter with the effort; no parameter for an index without one.
    """
    found = recall_of(index, queries, truth)
    steps = _efforts(index, truth.shape[1])
    name = ""
    for name, effort in steps:
        set_effort(index, effort)
        found = recall_of(index, queries, truth)
        if found >= floor:
            return found, {name: effort}
    return found, {name: steps[-1][1]} if steps else {}


def set_effort(index: Any, effort: int) -> None:
    """Set what `_efforts` names: lists to probe, or candidates of the graph."""
    if isinstance(index, faiss.IndexHNSW):
        index.hnsw.efSearch = effort
    elif isinstance(index, faiss.IndexRefine):
        faiss.downcast_index(index.base_index).nprobe = effort


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


def _efforts(index: Any, k: int) -> list[tuple[str, int]]:
    """Efforts to try, each about twice the one before."""
    if isinstance(index, faiss.IndexHNSW):
        return [("ef_search", k << step) for step in range(4)]
    if isinstance(index, faiss.IndexRefine):
        lists = faiss.downcast_index(index.base_index).nlist
        return [("probes", min(lists, 8 << step)) for step in range(_STEPS) if 4 << step < lists]
    return []
