"""A catalogue in several indexes of one release."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from recsys.errors import BadData
from recsys.index.index import Index, IndexMeta, build
from recsys.index.scatter import Scattered, merge

FOLDER: Final = "index_shards"
SIZES_FILE: Final = "shards.json"


class Sharded(Scattered):
    """Searches like an `Index`.

    Args:
        shards: Consecutive parts of the catalogue, in its order.

    Attributes:
        meta: Of the whole: kind `sharded`.
    """

    def __init__(self, shards: Sequence[Index]) -> None:
        super().__init__(shards, [shard.meta.items for shard in shards])
        self._shards = list(shards)
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

    def save(self, folder: Path) -> None:
        """Write the parts into `index_shards/<number>` of an existing folder, and their sizes beside them."""
        for at, shard in enumerate(self._shards):
            part = folder / FOLDER / str(at)
            part.mkdir(parents=True, exist_ok=True)
            shard.save(part)
        sizes = json.dumps([shard.meta.items for shard in self._shards])
        (folder / FOLDER / SIZES_FILE).write_text(f"{sizes}\n", encoding="utf-8")

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


def even_sizes(items: int, shards: int) -> list[int]:
    """Items of each part where a catalogue is divided evenly, as `numpy.array_split` does."""
    whole, more = divmod(items, shards)
    return [whole + (at < more) for at in range(shards)]


def open_index(folder: Path) -> Index | Sharded:
    """A release's index, in one or in several parts.

    Raises:
        BadData: A file is missing or damaged.
    """
    return Sharded.load(folder) if (folder / FOLDER).is_dir() else Index.load(folder)


__all__ = ["FOLDER", "SIZES_FILE", "Sharded", "build_sharded", "even_sizes", "merge", "open_index"]
