"""Search among the allowed items only, with the recall that the whole index has.

Throwing away what is not allowed after the search would leave too few, or none, where a rule allows little.
FAISS takes a selector instead and looks on until it has k allowed ones; an approximate index is told to look
as much further as there are fewer of them, and where they are few they are all compared.
"""

from __future__ import annotations

from typing import Any, Final

import faiss
import numpy as np

from recsys.errors import BadUse

COMPARED: Final = 20_000
"""Allowed items up to which all of them are compared: about a millisecond on one thread."""
_FURTHEST: Final = 16
"""How many times further than without a filter an approximate index looks at most."""


def check(allowed: np.ndarray, queries: int, items: int) -> None:
    """Refuse a mask that does not fit.

    Raises:
        BadUse: It is not bool [n] or [B, n].
    """
    if allowed.dtype != np.bool_ or allowed.shape not in ((items,), (queries, items)):
        raise BadUse(
            f"mask {allowed.dtype} {list(allowed.shape)} for {queries} queries",
            f"the index holds {items} items",
            "Give bool [n], or [B, n] for a mask of each query's own",
        )


def search(index: Any, queries: np.ndarray, k: int, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The k allowed items with the greatest inner product.

    Args:
        index: A FAISS index of one of `recsys.index.kinds`.
        queries: float32 [B, width], C-contiguous.
        k: How many.
        allowed: bool [n] for all queries, or [B, n].

    Returns:
        scores float32 [B, k] and items int64 [B, k], as FAISS returns them: -1 where there are fewer.
    """
    if allowed.ndim == 1:
        return _search_one(index, queries, k, allowed)
    alike: dict[bytes, list[int]] = {}
    for row, packed in enumerate(np.packbits(allowed, axis=1)):
        alike.setdefault(packed.tobytes(), []).append(row)
    scores = np.empty((len(queries), k), np.float32)
    items = np.empty((len(queries), k), np.int64)
    for rows in alike.values():
        asked = np.ascontiguousarray(queries[rows])
        scores[rows], items[rows] = _search_one(index, asked, k, allowed[rows[0]])
    return scores, items


def _search_one(
    index: Any, queries: np.ndarray, k: int, allowed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    kept = int(np.count_nonzero(allowed))
    if kept == len(allowed):
        found: tuple[np.ndarray, np.ndarray] = index.search(queries, k)
        return found
    looks_further = isinstance(index, faiss.IndexHNSW | faiss.IndexRefine)
    if looks_further and kept <= COMPARED:
        return _compare_all(index, queries, k, np.flatnonzero(allowed))
    packed = np.packbits(allowed, bitorder="little")
    selector = faiss.IDSelectorBitmap(packed)
    further = min(_FURTHEST, len(allowed) / max(1, kept))
    scores, items = index.search(queries, k, params=_parameters(index, selector, further))
    return scores, items


def _compare_all(index: Any, queries: np.ndarray, k: int, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    few = faiss.IndexFlatIP(index.d)
    if len(kept):
        few.add(index.reconstruct_batch(kept))
    scores, places = few.search(queries, k)
    items = np.full(places.shape, -1, np.int64)
    items[places >= 0] = kept[places[places >= 0]]
    return scores, items


def _parameters(index: Any, selector: Any, further: float) -> Any:
    """FAISS's search parameters: the selector, and the effort scaled to how few it lets through."""
    if isinstance(index, faiss.IndexHNSW):
        return faiss.SearchParametersHNSW(sel=selector, efSearch=int(index.hnsw.efSearch * further))
    if isinstance(index, faiss.IndexRefine):
        inverted = faiss.downcast_index(index.base_index)
        probes = min(inverted.nlist, int(np.ceil(inverted.nprobe * further)))
        base = faiss.SearchParametersIVF(sel=selector, nprobe=probes)
        return faiss.IndexRefineSearchParameters(k_factor=index.k_factor, base_index_params=base)
    return faiss.SearchParameters(sel=selector)
