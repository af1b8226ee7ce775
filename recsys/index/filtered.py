"""Search among the allowed items only, with the recall that the whole index has.

Throwing away what is not allowed after the search would leave too few, or none, where a rule allows little.
So where few are allowed they are all compared; else FAISS's selectors make an exact index or a graph look on
until it has k allowed ones. Indexes of 4-bit codes know no selectors, but to keep more candidates costs
them little: they are asked for so many that enough allowed ones are among them, and for more until they are.
"""

from __future__ import annotations

from typing import Any, Final

import faiss
import numpy as np

from recsys.errors import BadUse

COMPARED: Final = 10_000
"""Allowed items up to which all of them are compared: about half a millisecond on one thread."""
_FURTHEST: Final = 16
"""How many times further than without a filter a graph looks at most."""
_SCANNED: Final = 50_000
"""Items up to which an exact index tests every one's bit."""
_MARGIN: Final = 1.3
_ROWS: Final = 2_048
"""Vectors that are unpacked at a time: half a megabyte of 64 float32, which stays in the core's own cache."""


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
    approximate = isinstance(index, faiss.IndexHNSW | faiss.IndexRefine)
    if kept <= COMPARED and (approximate or len(allowed) > _SCANNED):
        return _compare(index, queries, k, np.flatnonzero(allowed))
    if isinstance(index, faiss.IndexRefine):
        each = [_among_candidates(index, query[None], k, allowed, kept) for query in queries]
        return np.concatenate([scores for scores, _ in each]), np.concatenate([items for _, items in each])
    return _scan(index, queries, k, allowed, min(_FURTHEST, len(allowed) / max(1, kept)))


def _scan(
    index: Any, queries: np.ndarray, k: int, allowed: np.ndarray, further: float = 1
) -> tuple[np.ndarray, np.ndarray]:
    """FAISS's own search with a selector."""
    packed = np.packbits(allowed, bitorder="little")
    selector = faiss.IDSelectorBitmap(packed)
    if isinstance(index, faiss.IndexHNSW):
        parameters = faiss.SearchParametersHNSW(sel=selector, efSearch=int(index.hnsw.efSearch * further))
    else:
        parameters = faiss.SearchParameters(sel=selector)
    scores, items = index.search(queries, k, params=parameters)
    return scores, items


def _among_candidates(
    index: Any, query: np.ndarray, k: int, allowed: np.ndarray, kept: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best of so many of the codes' candidates that k · refine_factor allowed ones are among them."""
    codes = faiss.downcast_index(index.base_index)
    wanted = int(np.ceil(k * index.k_factor))
    further = _MARGIN * len(allowed) / kept  # as if the rule were none of the user's taste
    while True:
        asked = min(len(allowed), int(wanted * further))
        candidates = codes.search(query, asked, params=_probes(codes, further))[1][0]
        candidates = candidates[candidates >= 0]
        found = candidates[allowed[candidates]][:wanted]
        if len(found) >= min(wanted, kept):
            return _compare(index, query, k, found)
        further *= _MARGIN * wanted / max(1, len(found))
        if further * wanted > _MARGIN * len(allowed):  # what is allowed lies far from this user
            return _scan(faiss.downcast_index(index.refine_index), query, k, allowed)


def _probes(codes: Any, further: float) -> Any:
    """FAISS's search parameters of inverted lists, of which more are looked through; None for others.

    The root of `further`, because the nearest lists are the fullest of what is wanted. The benchmark shows
    that recall with masks then stays above that without.
    """
    if not hasattr(codes, "nprobe"):
        return None
    return faiss.SearchParametersIVF(nprobe=min(codes.nlist, int(np.ceil(codes.nprobe * further**0.5))))


def _compare(index: Any, queries: np.ndarray, k: int, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    worth = np.empty((len(queries), len(kept)), np.float32)
    for at in range(0, len(kept), _ROWS):
        vectors = vectors_of(index, kept[at : at + _ROWS])
        for query, row in zip(queries, worth, strict=True):  # each alone: no answer depends on the others
            np.dot(vectors, query, out=row[at : at + _ROWS])
    scores = np.full((len(queries), k), -np.inf, np.float32)
    items = np.full((len(queries), k), -1, np.int64)
    for place, row in enumerate(worth):
        best = np.argpartition(-row, k)[:k] if k < len(row) else np.arange(len(row))
        best = best[np.argsort(-row[best], kind="stable")]
        scores[place, : len(best)], items[place, : len(best)] = row[best], kept[best]
    return scores, items


def vectors_of(index: Any, items: np.ndarray) -> np.ndarray:
    """Some items' vectors, as exactly as the index keeps them.

    FAISS's `reconstruct_batch` sets up a decoder for each item; all codes together need one.

    Args:
        index: A FAISS index of one of `recsys.index.kinds`.
        items: int64 [m], none missing.

    Returns:
        float32 [m, width].
    """
    kept = index
    if isinstance(index, faiss.IndexRefine):
        kept = faiss.downcast_index(index.refine_index)
    elif isinstance(index, faiss.IndexHNSW):
        kept = faiss.downcast_index(index.storage)
    size = kept.code_size
    codes = faiss.rev_swig_ptr(kept.codes.data(), kept.ntotal * size).reshape(-1, size)
    vectors: np.ndarray = kept.sa_decode(codes[items])
    return vectors
