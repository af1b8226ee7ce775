"""What each user had clicked before a moment: the seen filter's offline twin, without its false positives."""

from __future__ import annotations

import numpy as np
import pandas as pd


class SeenBefore:
    """First clicks by user and item.

    Args:
        user_id: The shop's user id of each click, int64 [clicks].
        item: Item index of each click, int64 [clicks].
        timestamp: Unix seconds of each click, int64 [clicks].
        items: Size of the catalogue.
    """

    def __init__(self, user_id: np.ndarray, item: np.ndarray, timestamp: np.ndarray, items: int) -> None:
        code, self._users = pd.factorize(user_id)
        key = code.astype(np.int64) * items + item
        order = np.lexsort((timestamp, key))
        first = np.concatenate([[True], np.diff(key[order]) > 0]) if len(key) else np.zeros(0, dtype=bool)
        self._key, self._at = key[order][first], timestamp[order][first]
        self._items = items

    def contains(self, user_id: np.ndarray, timestamp: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Whether the users had clicked some items before.

        Args:
            user_id: int64 [B].
            timestamp: Unix seconds, int64 [B]; a click at that very second is not before it.
            items: Item indexes, int64 [B, K]; negative entries are no items and never seen.

        Returns:
            bool [B, K].
        """
        if not len(self._key):
            return np.zeros(items.shape, dtype=bool)
        user = pd.Index(self._users).get_indexer(user_id).astype(np.int64)
        key = np.where((user[:, None] < 0) | (items < 0), -1, user[:, None] * self._items + items)
        place = np.minimum(np.searchsorted(self._key, key), len(self._key) - 1)
        found: np.ndarray = (self._key[place] == key) & (self._at[place] < timestamp[:, None])
        return found

    def pairs(self, user_id: np.ndarray, timestamp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All that the users had clicked before.

        Args:
            user_id: int64 [B].
            timestamp: Unix seconds, int64 [B].

        Returns:
            Row 0..B-1 and item index of each, int64 [pairs] both.
        """
        user = pd.Index(self._users).get_indexer(user_id).astype(np.int64)
        start = np.searchsorted(self._key, user * self._items)
        length = np.where(user < 0, 0, np.searchsorted(self._key, (user + 1) * self._items) - start)
        row = np.repeat(np.arange(len(user)), length)
        place = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length) + start[row]
        before = self._at[place] < timestamp[row]
        return row[before], self._key[place[before]] % self._items
