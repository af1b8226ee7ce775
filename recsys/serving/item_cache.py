"""Feast's item values in memory, read again every so often, so that no request asks for 300 items."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from recsys.errors import Unavailable
from recsys.features.online_store import ItemFeatureReader
from recsys.features.popularity import relative

if TYPE_CHECKING:  # whoever has such a thing has loaded it
    from recsys.online.popularity import Popularity

_log = logging.getLogger(__name__)

_STALE_AFTER: Final = 3
"""Refreshes in a row that may fail before the values count as old."""

_RETRY_S: Final = 1.0
"""Longest pause before a failed read is tried again."""

_FROM_FEAST: Final = ("price", "category_l1", "category_l2", "item_gender")


@dataclass(frozen=True)
class ItemValues:
    """One consistent picture of the items.

    Attributes:
        columns: Each of `schema.ITEM_RAW`, [n].
        from_feast: bool [n], False where the values are the release's, or Feast's but old.
        popularity: float32 [n], see `recsys.features.popularity`; 0 while nothing is known.
    """

    columns: dict[str, np.ndarray]
    from_feast: np.ndarray
    popularity: np.ndarray


class ItemCache:
    """The values that requests read; replaced whole, so a reader never sees half of a refresh.

    Args:
        columns: The release's own values, [n] each, used until Feast's are there and where it has none.
        reader: Feast's online store; None to serve the release's values for ever.
        clock: Monotonic seconds.
        wall: Unix seconds.
        popular: Today's counts, from the same store; None for none.

    Attributes:
        values: The newest picture.
        refreshes: How often Feast was `read` and how often that `failed`.
        read_at: When Feast was read last, Unix seconds; 0: never.
    """

    def __init__(
        self,
        columns: dict[str, np.ndarray],
        reader: ItemFeatureReader | None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        popular: Popularity | None = None,
    ) -> None:
        self._release = columns
        self._reader = reader
        self._clock = clock
        self._read_at = -np.inf
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._wall = wall
        self._popular = popular
        count = len(columns["item_id"])
        self.values = ItemValues(columns, np.zeros(count, bool), np.zeros(count, np.float32))
        self.refreshes = {"read": 0, "failed": 0}
        self.read_at = 0.0

    def start(self, every_s: float) -> None:
        """Read once now, then in a thread until `close`.

        Args:
            every_s: Seconds between reads.
        """
        done = self.refresh(every_s)
        self._thread = threading.Thread(
            target=self._keep_fresh, args=(every_s, done), name="item-cache", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop the thread; the values stay as they are."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def refresh(self, every_s: float) -> bool:
        """Read all items from Feast.

        Args:
            every_s: Seconds between reads; values `_STALE_AFTER` times as old are marked as such.

        Returns:
            Whether the store answered; if not, the values are kept.
        """
        if self._reader is None:
            return False
        try:
            found = self._reader.read(self._release["item_id"])
            popularity = self._read_popularity()
        except Unavailable as error:
            self.refreshes["failed"] += 1
            self._mark_if_stale(every_s, error)
            return False
        columns = dict(self._release)
        for name in _FROM_FEAST:
            own = self._release[name]
            columns[name] = np.where(found.found, getattr(found, name), own).astype(own.dtype, copy=False)
        self.values = ItemValues(columns, found.found, popularity)
        self._read_at, self.read_at = self._clock(), self._wall()
        self.refreshes["read"] += 1
        return True

    def _read_popularity(self) -> np.ndarray:
        if self._popular is None:
            return self.values.popularity
        ids, counts = self._popular.log_counts()
        own = self._release["item_id"]
        order = np.argsort(ids)
        place = np.minimum(np.searchsorted(ids, own, sorter=order), max(len(ids) - 1, 0))
        known = ids[order[place]] == own if len(ids) else np.zeros(len(own), bool)
        log_counts = np.full(len(own), -np.inf)
        log_counts[known] = counts[order[place[known]]]
        return relative(log_counts, np.logaddexp2.reduce(log_counts), len(own))

    def _mark_if_stale(self, every_s: float, error: Unavailable) -> None:
        values = self.values
        if values.from_feast.any() and self._clock() - self._read_at > _STALE_AFTER * every_s:
            _log.warning("item values are old: %s", error)
            self.values = replace(values, from_feast=np.zeros_like(values.from_feast))

    def _keep_fresh(self, every_s: float, done: bool) -> None:
        while not self._stop.wait(every_s if done else min(every_s, _RETRY_S)):
            done = self.refresh(every_s)
