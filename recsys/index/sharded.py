"""A catalogue in several indexes: each is asked, and the best of their answers are merged.

What one index finds of its own items is what the whole would have found of them, so the merged answer is the
answer of one index over all items, as exact as its parts are.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from recsys.errors import BadData
from recsys.index.index import Index, IndexMeta, build
from recsys.schema import NO_ITEM

FOLDER: Final = "index_shards"


class Sharded:
    """Searches like an `Index`.

    Args:
        shards: Consecutive parts of the catalogue, in its order.

    Attributes:
        meta: Of the whole: kind `sharded`.
    """

    def __init__(self, shards: Sequence[Index]) -> None:
        self._shards = list(shards)
        sizes = [shard.meta.items for shard in shards]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        first = shards[0].meta
        recalls = [shard.meta.recall for shard in shards]
        self.meta: IndexMeta = replace(
            first,
            kind="sharded",
            reason=f"{len(shards)} parts, the first: {first.kind}, {first.reason}",
            items=int(self._starts[-1]),
            recall=None if None in recalls else min(recall for recall in recalls if recall is not None),
            build_s=round(sum(shard.meta.build_s for shard in shards), 3),
            parameters={"shards": len(shards)},
        )
        self._pool = ThreadPoolExecutor(len(shards), thread_name_prefix="shard")

    def search(
        self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k items with the greatest inner product; see `Index.search`."""

        def ask(at: int) -> tuple[np.ndarray, np.ndarray]:
            start, end = self._starts[at], self._starts[at + 1]
            part = None if allowed is None else np.ascontiguousarray(allowed[..., start:end])
            scores, items = self._shards[at].search(queries, k, part)
            return scores, np.where(items == NO_ITEM, NO_ITEM, items + start)

        return merge(list(self._pool.map(ask, range(len(self._shards)))), k)

    def inner_products(self, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The scores that given items have; see `Index.inner_products`."""
        scores = np.full(items.shape, -np.inf, np.float32)
        for at, shard in enumerate(self._shards):
            start, end = self._starts[at], self._starts[at + 1]
            own = (items >= start) & (items < end)
            if own.any():
                scores = np.where(
                    own, shard.inner_products(queries, np.where(own, items - start, NO_ITEM)), scores
                )
        return scores

    def save(self, folder: Path) -> None:
        """Write the parts into `index_shards/<number>` of an existing folder."""
        for at, shard in enumerate(self._shards):
            part = folder / FOLDER / str(at)
            part.mkdir(parents=True, exist_ok=True)
            shard.save(part)

    @classmethod
    def load(cls, folder: Path) -> Sharded:
        """Read what `save` wrote.

        Raises:
            BadData: A part is missing or damaged.
        """
        numbers = sorted(int(part.name) for part in (folder / FOLDER).iterdir() if part.name.isdigit())
        if numbers != list(range(len(numbers))) or not numbers:
            raise BadData(str(folder / FOLDER), f"holds parts {numbers}", "Build the release again")
        return cls([Index.load(folder / FOLDER / str(number)) for number in numbers])


def merge(answers: Sequence[tuple[np.ndarray, np.ndarray]], k: int) -> tuple[np.ndarray, np.ndarray]:
    """The best k of several answers to the same queries.

    Args:
        answers: scores float32 [B, k] and items int64 [B, k] each; -inf and `NO_ITEM` where there is none.
        k: How many.

    Returns:
        scores float32 [B, k] and items int64 [B, k], best first; of equal scores the first answer's.
    """
    scores = np.concatenate([found for found, _ in answers], axis=1)
    items = np.concatenate([found for _, found in answers], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(items, order, axis=1)


def build_sharded(vectors: np.ndarray, shards: int, kind: str = "auto") -> Sharded:
    """Build a catalogue's index in parts of about the same size.

    Args:
        vectors: float32 [n, width].
        shards: How many, at most n.
        kind: See `recsys.index.index.build`.

    Raises:
        BadData: There is no vector, or one holds NaN or infinity.
        BadUse: There is no such kind.
    """
    return Sharded([build(part, kind) for part in np.array_split(vectors, shards)])


def open_index(folder: Path) -> Index | Sharded:
    """A release's index, in one or in several parts.

    Raises:
        BadData: A file is missing or damaged.
    """
    return Sharded.load(folder) if (folder / FOLDER).is_dir() else Index.load(folder)
