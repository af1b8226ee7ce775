"""An index of item embeddings: build, search, save and load."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from recsys.errors import BadData, BadUse
from recsys.index import choice, filtered, kinds
from recsys.index.blocks import blocks
from recsys.schema import INDEX_FILE, INDEX_META_FILE, NO_ITEM

# Above 20 queries FAISS switches from its own loop to BLAS, whose sums differ in the last bit: a
# user's answer would depend on who else is in the batch. Its own loop costs the same for each.
faiss.cvar.distance_compute_blas_threshold = 1 << 30


@dataclass(frozen=True)
class IndexMeta:
    """What was built and why; written beside the index as JSON.

    Attributes:
        kind: Name in `recsys.index.kinds.KINDS`.
        reason: Why this kind.
        items: Number of vectors.
        width: Their dimension.
        recall: Recall@300 against the exact search, measured when it was built; None if not measured.
        build_s: Seconds it took, the choice included.
        parameters: What FAISS was told.
        faiss: The library's version.
    """

    kind: str
    reason: str
    items: int
    width: int
    recall: float | None
    build_s: float
    parameters: dict[str, int]
    faiss: str


class Index:
    """Top-k search by inner product over item indexes 0..n-1.

    Args:
        faiss_index: A built FAISS index with the inner-product metric.
        meta: What it is.
    """

    def __init__(self, faiss_index: Any, meta: IndexMeta) -> None:
        faiss.omp_set_num_threads(1)  # Triton's instances are the parallelism; more threads only fight.
        self._index = faiss_index
        self.meta = meta

    @property
    def faiss_index(self) -> Any:
        """The FAISS index itself."""
        return self._index

    def search(
        self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k items with the greatest inner product, best first.

        Args:
            queries: float32 [B, width], finite.
            k: How many, at least 1; may exceed the number of items.
            allowed: Which items may be found: bool [n] for all queries, or [B, n] for each its own; None
                for all of them.

        Returns:
            scores float32 [B, k] and item indexes int64 [B, k]; where there are fewer than k
            (allowed) items the rest is -inf and `NO_ITEM`.

        Raises:
            BadUse: The queries' or the mask's shape is wrong, or k is below 1.
        """
        if queries.ndim != 2 or queries.shape[1] != self.meta.width or k < 1:
            raise BadUse(
                f"search of {queries.shape} for {k} items",
                f"the index holds vectors of {self.meta.width}",
                "Ask with [B, width] and k >= 1",
            )
        asked = np.ascontiguousarray(queries, np.float32)
        if allowed is None:
            scores, items = self._index.search(asked, k)
        else:
            filtered.check(allowed, len(asked), self.meta.items)
            scores, items = filtered.search(self._index, asked, k, allowed)
        missing = items < 0
        if missing.any():
            scores[missing] = -np.inf
            items[missing] = NO_ITEM
        return scores, items.astype(np.int64, copy=False)

    def inner_products(self, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The scores that given items have, as exactly as the index keeps their vectors.

        Args:
            queries: float32 [B, width], finite.
            items: int64 [B, S], item indexes or `NO_ITEM`.

        Returns:
            float32 [B, S], -inf where there is no item.
        """
        there = items != NO_ITEM
        vectors = self._index.reconstruct_batch(np.where(there, items, 0).reshape(-1))
        products = np.einsum("bsw,bw->bs", vectors.reshape(*items.shape, -1), queries)
        scores: np.ndarray = np.where(there, products, -np.inf).astype(np.float32)
        return scores

    def save(self, folder: Path) -> None:
        """Write `index.faiss` and `index.json` into an existing folder."""
        faiss.write_index(self._index, str(folder / INDEX_FILE))
        text = json.dumps(asdict(self.meta), indent=2, sort_keys=True) + "\n"
        (folder / INDEX_META_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Index:
        """Read what `save` wrote.

        Raises:
            BadData: A file is missing, damaged, or the two do not belong together.
        """
        path = folder / INDEX_FILE
        meta = cls.describe(folder)
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise _unreadable(path, error) from error
        if (index.ntotal, index.d) != (meta.items, meta.width):
            raise BadData(
                str(path),
                f"holds {index.ntotal} x {index.d}, its description says {meta.items} x {meta.width}",
                "Build the release again",
            )
        return cls(index, meta)

    @staticmethod
    def describe(folder: Path) -> IndexMeta:
        """What an index is, without the index.

        Raises:
            BadData: Its description is missing or damaged.
        """
        path = folder / INDEX_META_FILE
        try:
            return IndexMeta(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise _unreadable(path, error) from error


def build(
    vectors: np.ndarray,
    kind: str = "auto",
    queries: np.ndarray | None = None,
    memory_mb: float | None = None,
) -> Index:
    """Build the index of a catalogue's item embeddings.

    Args:
        vectors: float [n, width]; row i is item index i. They are not normalised: the score is the plain
            inner product, in which long vectors rightly win. They may lie in a file (`np.memmap`) that is
            larger than memory: it is read a block at a time, and beside it only the index takes memory.
        kind: A name in `recsys.index.kinds.KINDS`, or `auto` to choose by size and measured recall.
        queries: float32 [q, width] to measure recall with; used by `auto` above its exact size.
        memory_mb: Most megabytes that an index chosen by `auto` may take; None for any.

    Returns:
        The index, not yet on disk.

    Raises:
        BadData: There is no vector, or one holds NaN or infinity.
        BadUse: There is no such kind.
    """
    _check(vectors)
    faiss.omp_set_num_threads(1)
    begun = time.perf_counter()
    if kind == "auto":
        chosen = choice.choose(vectors, queries, memory_mb)
    else:
        index, parameters = kinds.make(kind, vectors)
        recall = 1.0 if kind == kinds.EXACT else None
        chosen = choice.Choice(kind, index, parameters, recall, "asked for by name")
    rows, width = vectors.shape
    meta = IndexMeta(
        kind=chosen.kind,
        reason=chosen.reason,
        items=rows,
        width=width,
        recall=chosen.recall,
        build_s=round(time.perf_counter() - begun, 3),
        parameters=chosen.parameters,
        faiss=faiss.__version__,
    )
    return Index(chosen.faiss_index, meta)


def _unreadable(path: Path, error: Exception) -> BadData:
    cause = str(error).splitlines()[0] if str(error) else type(error).__name__
    return BadData(str(path), f"cannot be read ({cause})", "Build the release again")


def _check(vectors: np.ndarray) -> None:
    if vectors.ndim != 2 or len(vectors) == 0:
        raise BadData(f"item embeddings {vectors.shape}", "there is no vector", "Give [n, width], n > 0")
    bad = np.flatnonzero(~np.concatenate([np.isfinite(block).all(axis=1) for block in blocks(vectors)]))
    if len(bad):
        raise BadData(
            f"item embedding {bad[0]}", f"{len(bad)} rows hold NaN or infinity", "Train the item tower again"
        )
