"""The kinds of FAISS index that can be built, one function each; all of them search by inner product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
_TRAIN_ROUNDS: Final = 10
_BLOCK: Final = 262_144
"""Rows that are added at a time, so that vectors may lie in a file that is larger than memory."""

_BLAS_FROM: Final = 20
"""Vectors from which on FAISS multiplies matrices by default."""

BuiltKind = tuple[Any, dict[str, int]]


def _flat(vectors: np.ndarray) -> BuiltKind:
    """Every vector is compared: exact."""
    return _filled(faiss.IndexFlatIP(vectors.shape[1]), vectors), {}


def _half(vectors: np.ndarray) -> BuiltKind:
    """Every vector is compared, as 16-bit floats: half of the memory, and as good as exact."""
    return _filled(_scalar_quantiser(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16), vectors), {"bits": 16}


def _scalar(vectors: np.ndarray) -> BuiltKind:
    """Every vector is compared, as 8-bit integers: a quarter of the memory."""
    index = _scalar_quantiser(vectors.shape[1], faiss.ScalarQuantizer.QT_8bit)
    index.train(_sample(vectors, _BLOCK))
    return _filled(index, vectors), {"bits": 8}


def _hnsw(vectors: np.ndarray) -> BuiltKind:
    """A navigable small-world graph (Malkov & Yashunin, 2018): fast, and the most memory."""
    index = faiss.IndexHNSWFlat(vectors.shape[1], _HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = _HNSW_BUILD
    index.hnsw.efSearch = _HNSW_SEARCH
    parameters = {"links": _HNSW_LINKS, "ef_construction": _HNSW_BUILD, "ef_search": _HNSW_SEARCH}
    return _filled(index, vectors), parameters


def _ivf_pq(vectors: np.ndarray) -> BuiltKind:
    """Inverted lists of product-quantised residuals (Jégou et al., 2011), re-ranked with 16-bit vectors."""
    rows, width = vectors.shape
    lists = _list_count(rows)
    probes = max(1, lists // 8)
    coarse = faiss.IndexFlatIP(width)
    inverted = faiss.IndexIVFPQ(coarse, width, lists, _PQ_BYTES, 8, faiss.METRIC_INNER_PRODUCT)
    inverted.nprobe = probes
    inverted.cp.niter = _TRAIN_ROUNDS
    refined = _scalar_quantiser(width, faiss.ScalarQuantizer.QT_fp16)
    index = faiss.IndexRefine(inverted, refined)
    index.k_factor = _REFINE_FACTOR
    index.train(_sample(vectors, max(lists * _TRAIN_ROWS_PER_LIST, 256 * 39)))
    _filled(index, vectors)
    # FAISS frees none of them in Python's stead: the wrapper must keep what it is made of alive.
    index.parts = (coarse, inverted, refined)
    return index, {"lists": lists, "probes": probes, "pq_bytes": _PQ_BYTES, "refine_factor": _REFINE_FACTOR}


def _scalar_quantiser(width: int, kind: int) -> Any:
    return faiss.IndexScalarQuantizer(width, kind, faiss.METRIC_INNER_PRODUCT)


def _filled(index: Any, vectors: np.ndarray) -> Any:
    if not index.is_trained:  # 16-bit floats have nothing to learn, and say so only when asked to
        index.train(vectors[:1])
    for at in range(0, len(vectors), _BLOCK):
        index.add(np.ascontiguousarray(vectors[at : at + _BLOCK], np.float32))
    return index


def _list_count(rows: int) -> int:
    """The usual 4 √n lists up to a million items, then as √n; fewer where k-means would lack points."""
    return max(1, min(int(4 * rows**0.5), 4_096 + int(rows**0.5), rows // 39))


def _sample(vectors: np.ndarray, wanted: int) -> np.ndarray:
    if len(vectors) <= wanted:
        return np.ascontiguousarray(vectors, np.float32)
    rows = np.random.default_rng(0).choice(len(vectors), wanted, replace=False)
    return np.ascontiguousarray(vectors[np.sort(rows)], np.float32)


KINDS: Final[dict[str, Callable[[np.ndarray], BuiltKind]]] = {
    EXACT: _flat,
    "half": _half,
    "scalar": _scalar,
    "hnsw": _hnsw,
    "ivf_pq": _ivf_pq,
}


def make(kind: str, vectors: np.ndarray) -> BuiltKind:
    """Build one kind of index.

    Args:
        kind: A name in `KINDS`.
        vectors: float32 [n, width], C-contiguous, not normalised: an item's length is part of its score. May
            lie in a file (`np.memmap`).

    Returns:
        The FAISS index and the parameters it was built with.

    Raises:
        BadUse: There is no such kind.
    """
    if kind not in KINDS:
        raise BadUse(f"index kind {kind!r}", "there is no such kind", f"Use auto or {', '.join(KINDS)}")
    with many_at_once():
        return KINDS[kind](vectors)


@contextmanager
def many_at_once() -> Iterator[None]:
    """Let FAISS multiply matrices while an index is built, which is several times faster.

    Searches do without: there a user's answer would depend on who else is asked for, see
    `recsys.index.index`.
    """
    usual = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = _BLAS_FROM
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = usual


def bytes_of(kind: str, rows: int, width: int) -> int:
    """Memory that an index of some kind takes, about.

    Args:
        kind: A name in `KINDS`.
        rows: Items.
        width: Numbers of a vector.
    """
    each = {
        EXACT: 4 * width,
        "half": 2 * width,
        "scalar": width,
        "hnsw": 4 * width + 8 * _HNSW_LINKS + 16,
        "ivf_pq": _PQ_BYTES + 8 + 2 * width,
    }
    return rows * each[kind] + (_list_count(rows) * width * 4 if kind == "ivf_pq" else 0)
