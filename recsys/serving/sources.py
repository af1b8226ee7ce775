"""Candidates besides the nearest: popular over all, popular in the user's top category, trending.

They get few places, behind those that retrieval found, and make room for what retrieval cannot know yet:
an item that everybody looks at since an hour ago, or what is liked in the category a visitor came for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.errors import Unavailable
from recsys.online import keys
from recsys.online.popularity import PopularItems
from recsys.online.popularity import Popularity as LivePopularity
from recsys.schema import NO_ITEM, UNKNOWN, Source
from recsys.serving.rules import RuleTable

_log = logging.getLogger(__name__)

Items = NDArray[np.int64]

_TRENDS_FROM: Final = 0.5
"""Decayed clicks: less than half of one, as of now, is no trend but what is left of an old one."""


@dataclass(frozen=True)
class Places:
    """How many candidates each source may name."""

    popular: int = 0
    category: int = 0
    trending: int = 0

    @classmethod
    def within(cls, room: int, parameters: Mapping[str, str]) -> Places:
        """The places that are set, fewer where there is not so much room.

        Args:
            room: Candidates that retrieval finds beyond those that are ranked.
            parameters: popular_places, category_places and trending_places.
        """
        left, counts = room, []
        for name in ("popular", "category", "trending"):
            counts.append(min(left, int(parameters[f"{name}_places"])))
            left -= counts[-1]
        return cls(*counts)

    @property
    def total(self) -> int:
        """All of them."""
        return self.popular + self.category + self.trending


@dataclass(frozen=True)
class Lists:
    """Item indexes, the best first, -1 where a list is short.

    Attributes:
        popular: int64 [p].
        trending: int64 [t].
        categories: int64 [c], sorted.
        by_category: int64 [c + 1, q]; the last row is of no category, all -1.
    """

    popular: Items
    trending: Items
    categories: Items
    by_category: Items

    def nominate(self, top_category: Items) -> tuple[Items, NDArray[np.int32]]:
        """The candidates of each user.

        Args:
            top_category: int64 [B], -1 where it is not known.

        Returns:
            Item indexes int64 [B, S], -1 where there is none, an item maybe twice; and the `Source` of each
            column, int32 [S].
        """
        rows = len(top_category)
        place = np.searchsorted(self.categories, top_category)
        known = place < len(self.categories)
        known[known] = self.categories[place[known]] == top_category[known]
        own = self.by_category[np.where(known, place, len(self.categories))]
        parts = (self.popular, own, self.trending)
        kinds = (Source.POPULAR, Source.CATEGORY, Source.TRENDING)
        items = np.concatenate([np.broadcast_to(part, (rows, part.shape[-1])) for part in parts], axis=1)
        bits = np.concatenate(
            [np.full(part.shape[-1], int(kind), np.int32) for part, kind in zip(parts, kinds, strict=True)]
        )
        return items, bits


class Sources:
    """The lists, read from Valkey every so often; before that, and where it holds too little, the release's.

    Args:
        table: The catalogue and its categories.
        counts: float32 [n], how often each item was met in training.
        places: How many of each.
        live: Today's counts; None for the release's alone.
    """

    def __init__(
        self, table: RuleTable, counts: NDArray[np.float32], places: Places, live: LivePopularity | None
    ) -> None:
        self._ids = table.catalogue.item_ids
        self._sorted = np.argsort(self._ids, kind="stable")
        self._category = table.category_l1
        self._places = places
        self._live = live
        self._trained = np.argsort(-counts, kind="stable")
        self._categories = np.unique(self._category[self._category != UNKNOWN])
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        nothing = np.empty(0, np.int64)
        self._trained_by_category = self._heads_by_category()
        self.lists = self._made(nothing, nothing, {})

    def start(self, every_s: float) -> None:
        """Read now, then in a thread until `close`.

        Args:
            every_s: Seconds between reads.
        """
        self.refresh()
        self._thread = threading.Thread(
            target=self._keep_fresh, args=(every_s,), name="candidate-sources", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop the thread; the lists stay as they are."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def refresh(self) -> bool:
        """Read today's lists; what cannot be read stays as it was.

        Returns:
            Whether Valkey answered.
        """
        if self._live is None:
            return False
        places, categories = self._places, self._categories.tolist()
        names = [keys.POPULAR, keys.TRENDING, *(keys.popular_l1(each) for each in categories)]
        try:
            found = self._live.tops(names, max(places.popular, places.category, places.trending))
        except Unavailable as error:
            _log.warning("candidate sources stay as they were: %s", error)
            return False
        found[1] = PopularItems(found[1].ids[found[1].counts >= _TRENDS_FROM], found[1].counts)
        popular, trending, *own = (self._indexes(each.ids) for each in found)
        self.lists = self._made(popular, trending, dict(zip(categories, own, strict=True)))
        return True

    def _made(self, popular: Items, trending: Items, own: Mapping[int, Items]) -> Lists:
        places = self._places
        by_category = np.full((len(self._categories) + 1, places.category), NO_ITEM, np.int64)
        for row, category in enumerate(self._categories.tolist()):
            live = own.get(category, np.empty(0, np.int64))
            live = live[self._category[live] == category]
            by_category[row] = _head(live, self._trained_by_category[row], places.category)
        nothing = np.empty(0, np.int64)
        return Lists(
            _head(popular, self._trained[: 2 * places.popular], places.popular),
            _head(trending, nothing, places.trending),
            self._categories,
            by_category,
        )

    def _heads_by_category(self) -> list[Items]:
        """The release's most popular items of each category, twice as many as are needed."""
        count = 2 * self._places.category
        order = self._trained[np.argsort(self._category[self._trained], kind="stable")]
        starts = np.searchsorted(self._category[order], self._categories)
        ends = np.searchsorted(self._category[order], self._categories, side="right")
        return [order[start : min(start + count, end)] for start, end in zip(starts, ends, strict=True)]

    def _indexes(self, ids: Items) -> Items:
        """Indexes of those of the shop's ids that the release knows."""
        place = np.minimum(np.searchsorted(self._ids, ids, sorter=self._sorted), len(self._ids) - 1)
        rows = self._sorted[place]
        known: Items = rows[self._ids[rows] == ids]
        return known

    def _keep_fresh(self, every_s: float) -> None:
        while not self._stop.wait(every_s):
            self.refresh()


def _head(live: Items, trained: Items, count: int) -> Items:
    """The first so many of one list and then of another, none twice, -1 where both are short."""
    merged = np.concatenate([live, trained[~np.isin(trained, live)]])[:count]
    head: Items = np.concatenate([merged, np.full(count - len(merged), NO_ITEM, np.int64)])
    return head
