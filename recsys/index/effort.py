"""How hard an approximate index looks: the least effort that finds enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import faiss
import numpy as np

Effort = dict[str, int]
"""probes: lists that are looked through; refine_factor: candidates that are ranked anew, in multiples of k;
ef_search: candidates that a graph keeps while it looks."""

_STEPS: Final = 10
_FACTORS: Final = (2, 4, 8, 16)
_USUAL_FACTOR: Final = 8


def tune(index: Any, queries: np.ndarray, truth: np.ndarray, floor: float) -> tuple[float, Effort]:
    """Double a search's effort until it finds enough, then spare what it can do without.

    Args:
        index: A FAISS index of one of `recsys.index.kinds`; keeps the effort that is found.
        queries: float32 [q, width].
        truth: int64 [q, k], what the exact index returns.
        floor: Recall that is enough.

    Returns:
        The recall that is reached, and the effort; nothing for an index that knows none.
    """
    found, effort = 0.0, Effort()
    for effort in efforts(index, truth.shape[1]):
        set_effort(index, effort)
        found = recall_of(index, queries, truth)
        if found >= floor:
            break
    else:
        return (found, effort) if effort else (recall_of(index, queries, truth), {})
    for factor in reversed([factor for factor in _FACTORS if factor < effort.get("refine_factor", 0)]):
        fewer = effort | {"refine_factor": factor}
        set_effort(index, fewer)
        recall = recall_of(index, queries, truth)
        if recall < floor:
            break
        found, effort = recall, fewer
    set_effort(index, effort)
    return found, effort


def efforts(index: Any, k: int) -> list[Effort]:
    """Efforts to try, each about twice the one before.

    Args:
        index: A FAISS index of one of `recsys.index.kinds`.
        k: How many items are asked for.
    """
    if isinstance(index, faiss.IndexHNSW):
        return [{"ef_search": k << step} for step in range(4)]
    if isinstance(index, faiss.IndexRefine):
        lists = getattr(faiss.downcast_index(index.base_index), "nlist", 0)
        if not lists:
            return [{"refine_factor": factor} for factor in _FACTORS]
        probes = [min(lists, 4 << step) for step in range(_STEPS) if 2 << step < lists]
        return [{"probes": count, "refine_factor": _USUAL_FACTOR} for count in probes]
    return []


def set_effort(index: Any, effort: Mapping[str, int]) -> None:
    """Make an index look that hard from now on.

    Args:
        index: A FAISS index of one of `recsys.index.kinds`.
        effort: Out of `efforts`.
    """
    if "ef_search" in effort:
        index.hnsw.efSearch = effort["ef_search"]
    if "refine_factor" in effort:
        index.k_factor = effort["refine_factor"]
    if "probes" in effort:
        faiss.downcast_index(index.base_index).nprobe = effort["probes"]


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
