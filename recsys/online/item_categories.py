"""Categories of items, from Feast's values of them, remembered for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import redis

from recsys.features.online_store import ItemFeatureReader
from recsys.schema import UNKNOWN

Categories = tuple[int, int]
"""category_l1 and category_l2."""


class ItemCategories:
    """Looks up the categories of items that events name.

    Args:
        client: Client of Valkey with time limits.
        refresh_s: How long an answer is used before the store is asked again.
        size: At most so many items are remembered.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        client: redis.Redis,
        refresh_s: float = 300.0,
        size: int = 1_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = ItemFeatureReader(client)
        self._refresh_s = refresh_s
        self._size = size
        self._clock = clock
        self._known: dict[int, Categories] = {}
        self._drop_at = clock() + refresh_s

    def of(self, item_ids: Iterable[int]) -> dict[int, Categories]:
        """The categories of those items that the store knows.

        Args:
            item_ids: The shop's items, any number of times each.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        if self._clock() >= self._drop_at or len(self._known) >= self._size:
            self._known.clear()
            self._drop_at = self._clock() + self._refresh_s
        asked = set(item_ids)
        new = sorted(asked - self._known.keys())
        if new:
            found = self._reader.read(new)
            for item, l1, l2 in zip(new, found.category_l1.tolist(), found.category_l2.tolist(), strict=True):
                if l1 != UNKNOWN:
                    self._known[item] = (l1, l2)
        return {item: self._known[item] for item in asked if item in self._known}
