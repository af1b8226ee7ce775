"""The kinds of FAISS index that can be built, one function each; all of them search by inner product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import faiss
import numpy as np

from recsys.errors import BadUse

EXACT: Final = "flat"

_PQ_BYTES: Final = 32
_REFINE_FACTOR: Final = 8
_HNSW_LINKS: Final = 32
_HNSW_BUILD: Final = 200
_HNSW_SEARCH: Final = 600  # must not be below k, or fewer than k items are found
_TRAIN_ROWS_PER_LIST: Final = 64

BuiltKind = tuple[Any, dict[str, int]]


def _flat(vectors: np.ndarray) -> BuiltKind:
    """Every vector is compared: exact."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index, {}


def _scalar(vectors: np.ndarray) -> BuiltKind:
    """Every vector is compared, as 8-bit integers: a quarter of the memory."""
    index = faiss.IndexScalarQuantizer(
        vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.train(vectors)
    index.add(vectors)
    return index, {"bits": 8}


def _hnsw(vectors: np.ndarray) -> BuiltKind:
    """A navigable small-world graph (Malkov & Yashunin, 2018): fast, and the most memory."""
    index = faiss.IndexHNSWFlat(vectors.shape[1], _HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = _HNSW_BUILD
    index.hnsw.efSearch = _HNSW_SEARCH
    index.add(vectors)
    return index, {"links": _HNSW_LINKS, "ef_construction": _HNSW_BUILD, "ef_search": _HNSW_SEARCH}


def _ivf_pq(vectors: np.ndarray) -> BuiltKind:
    """Inverted lists of product-quantised residuals (Jégou et al., 2011), re-ranked with full vectors."""
    rows, width = vectors.shape
    lists = _list_count(rows)
    probes = max(1, lists // 8)
    coarse = faiss.IndexFlatIP(width)
    inverted = faiss.IndexIVFPQ(coarse, width, lists, _PQ_BYTES, 8, faiss.METRIC_INNER_PRODUCT)
    inverted.nprobe = probes
    index = faiss.IndexRefineFlat(inverted)
    index.k_factor = _REFINE_FACTOR
    index.train(_training_sample(vectors, lists))
    index.add(vectors)
    # FAISS frees neither in Python's stead: the wrapper must keep what it is made of alive.
    index.parts = (coarse, inverted)
    return index, {"lists": lists, "probes": probes, "pq_bytes": _PQ_BYTES, "refine_factor": _REFINE_FACTOR}


def _list_count(rows: int) -> int:
    """The usual 4 √n lists, fewer where k-means would lack the points to train on."""
    return max(1, min(int(4 * rows**0.5), rows // 39))


def _training_sample(vectors: np.ndarray, lists: int) -> np.ndarray:
    wanted = max(lists * _TRAIN_ROWS_PER_LIST, 256 * 39)
    if len(vectors) <= wanted:
        return vectors
    rows = np.random.default_rng(0).choice(len(vectors), wanted, replace=False)
    sample: np.ndarray = vectors[np.sort(rows)]
    return sample


KINDS: Final[dict[str, Callable[[np.ndarray], BuiltKind]]] = {
    EXACT: _flat,
    "scalar": _scalar,
    "hnsw": _hnsw,
    "ivf_pq": _ivf_pq,
}


def make(kind: str, vectors: np.ndarray) -> BuiltKind:
    """Build one kind of index.

    Args:
        kind: A name in `KINDS`.
        vectors: float32 [n, width], C-contiguous, not normalised: an item's length is part of its score.

    Returns:
        The FAISS index and the parameters it was built with.

    Raises:
        BadUse: There is no such kind.
    """
    if kind not in KINDS:
        raise BadUse(f"index kind {kind!r}", "there is no such kind", f"Use auto or {', '.join(KINDS)}")
    return KINDS[kind](vectors)
