"""The kinds of FAISS index that can be built, one function each; all of them search by inner product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import faiss
import numpy as np

from recsys.errors import BadUse
from recsys.index.blocks import blocks, sample

EXACT: Final = "flat"

_CODE_BITS: Final = 4
_REFINE_FACTOR: Final = 8
_HNSW_LINKS: Final = 32
_HNSW_BUILD: Final = 200
_HNSW_SEARCH: Final = 600  # must not be below k, or fewer than k items are found
_TRAIN_ROWS_PER_LIST: Final = 64
_TRAIN_ROWS: Final = 65_536
_TRAIN_ROUNDS: Final = 10
_MOST_LISTS: Final = 2_048

_BLAS_FROM: Final = 20
"""Vectors from which on FAISS multiplies matrices by default."""

BuiltKind = tuple[Any, dict[str, int]]


def _flat(vectors: np.ndarray) -> BuiltKind:
    """Every vector is compared: exact."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    _reserve(index.codes, len(vectors) * 4 * vectors.shape[1])
    return _filled(index, vectors), {}


def _half(vectors: np.ndarray) -> BuiltKind:
    """Every vector is compared, as 16-bit floats: half of the memory, and as good as exact."""
    return _filled(_scalar_quantiser(vectors, faiss.ScalarQuantizer.QT_fp16), vectors), {"bits": 16}


def _scalar(vectors: np.ndarray) -> BuiltKind:
    """Every vector is compared, as 8-bit integers: a quarter of the memory."""
    index = _scalar_quantiser(vectors, faiss.ScalarQuantizer.QT_8bit)
    index.train(sample(vectors, _TRAIN_ROWS))
    return _filled(index, vectors), {"bits": 8}


def _pq(vectors: np.ndarray) -> BuiltKind:
    """Every vector is compared in 4-bit codes, and the best of them in 16-bit floats.

    A product quantiser (Jégou et al., 2011) of one dimension a part: its 16 values for each number are
    what Lloyd (1982) would choose. The table of a query's products with them fits a register, so one
    instruction looks up 32 or 64 items (André et al., "Cache locality is not enough", 2015).
    """
    width = vectors.shape[1]
    codes = faiss.IndexPQFastScan(width, width, _CODE_BITS, faiss.METRIC_INNER_PRODUCT)
    return _refined(codes, (), vectors, _TRAIN_ROWS), {"refine_factor": _REFINE_FACTOR}


def _hnsw(vectors: np.ndarray) -> BuiltKind:
    """A navigable small-world graph (Malkov & Yashunin, 2018): the most memory, and long to build."""
    index = faiss.IndexHNSWFlat(vectors.shape[1], _HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = _HNSW_BUILD
    index.hnsw.efSearch = _HNSW_SEARCH
    parameters = {"links": _HNSW_LINKS, "ef_construction": _HNSW_BUILD, "ef_search": _HNSW_SEARCH}
    return _filled(index, vectors), parameters


def _ivf_pq(vectors: np.ndarray) -> BuiltKind:
    """The codes of `_pq` in inverted lists, of which the nearest are looked through.

    The centres are of length one (spherical k-means, FAISS's choice for inner products), so that no list
    draws items by its length.
    """
    rows, width = vectors.shape
    lists = _list_count(rows)
    probes = max(1, lists // 8)
    coarse = faiss.IndexFlatIP(width)
    inverted = faiss.IndexIVFPQFastScan(coarse, width, lists, width, _CODE_BITS, faiss.METRIC_INNER_PRODUCT)
    inverted.nprobe = probes
    inverted.cp.niter = _TRAIN_ROUNDS
    index = _refined(inverted, (coarse,), vectors, max(lists * _TRAIN_ROWS_PER_LIST, _TRAIN_ROWS))
    return index, {"lists": lists, "probes": probes, "refine_factor": _REFINE_FACTOR}


def _refined(codes: Any, parts: tuple[Any, ...], vectors: np.ndarray, train_rows: int) -> Any:
    """An index of codes whose best are ranked anew by vectors of 16-bit floats."""
    exact = _scalar_quantiser(vectors, faiss.ScalarQuantizer.QT_fp16)
    index = faiss.IndexRefine(codes, exact)
    index.k_factor = _REFINE_FACTOR
    learned_from = sample(vectors, train_rows)
    if len(learned_from) < 1 << _CODE_BITS:  # k-means wants as many points as centres
        learned_from = np.resize(learned_from, (1 << _CODE_BITS, learned_from.shape[1]))
    index.train(learned_from)
    _filled(index, vectors)
    # FAISS frees none of them in Python's stead: the wrapper must keep what it is made of alive.
    index.parts = (*parts, codes, exact)
    return index


def _scalar_quantiser(vectors: np.ndarray, kind: int) -> Any:
    index = faiss.IndexScalarQuantizer(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    _reserve(index.codes, len(vectors) * index.code_size)
    return index


def _reserve(codes: Any, size: int) -> None:
    """Let a std::vector take its last size at once: growing by doubling it would hold itself thrice."""
    codes.resize(size)
    codes.resize(0)  # keeps what was allocated


def _filled(index: Any, vectors: np.ndarray) -> Any:
    for block in blocks(vectors):
        if not index.is_trained:  # 16-bit floats have nothing to learn, and say so only when asked to
            index.train(block[:1])
        index.add(block)
    return index


def _list_count(rows: int) -> int:
    """2 √n lists, at most 2,048.

    Codes are scanned so fast that more lists make no query cheaper, and k-means and the choice of each item's
    list, which are most of the building, cost as much more as there are lists.
    """
    return max(1, min(int(2 * rows**0.5), _MOST_LISTS, rows // 39))


KINDS: Final[dict[str, Callable[[np.ndarray], BuiltKind]]] = {
    EXACT: _flat,
    "half": _half,
    "scalar": _scalar,
    "pq": _pq,
    "hnsw": _hnsw,
    "ivf_pq": _ivf_pq,
}


def make(kind: str, vectors: np.ndarray) -> BuiltKind:
    """Build one kind of index.

    Args:
        kind: A name in `KINDS`.
        vectors: float [n, width], not normalised: an item's length is part of its score. They may lie in a
            file (`np.memmap`) that is larger than memory: it is read a block at a time.

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
    codes = width * _CODE_BITS // 8
    each = {
        EXACT: 4 * width,
        "half": 2 * width,
        "scalar": width,
        "pq": codes + 2 * width,
        "hnsw": 4 * width + 8 * _HNSW_LINKS + 16,
        "ivf_pq": codes + 8 + 2 * width,
    }
    return rows * each[kind] + (_list_count(rows) * width * 4 if kind == "ivf_pq" else 0)
