"""A user's newest clicks just before a moment: what `recsys.online.recents` held then, for a whole table.

For a user at time t: the items clicked before t and after t minus the time that clicks are kept, each once at
its last click, newest first, `schema.RECENT_CLICKS` at most. What happens at t itself is not seen, so a row
never sees itself. Of one moment's clicks the item whose id is the greater text comes first, as in Valkey.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from recsys.schema import NO_ITEM, RECENT_CLICKS
from recsys.settings import get_settings

Int64s = NDArray[np.int64]
_HOUR_S: Final = 3600


@dataclass(frozen=True)
class RecentClicks:
    """The newest clicks of n rows' users.

    Attributes:
        items: Item indexes, newest first, int64 [n, width]; `NO_ITEM` where there are fewer.
        ages: Hours from the click to the row, float32 [n, width]; 0 where there is none.
    """

    items: Int64s
    ages: NDArray[np.float32]

    def tensors(self) -> dict[str, np.ndarray]:
        """By the names in `schema.RECENT_FEATURES`."""
        return {"recent_items": self.items, "recent_ages": self.ages}


@dataclass(frozen=True)
class ClickLog:
    """All clicks, ordered by user and time, to be looked back on from any moment.

    Attributes:
        users: The users who clicked, int64 [u], ascending.
        opens: First click of each user, and the number of clicks, int64 [u + 1].
        item: Item index of each click, int64 [e].
        timestamp: Unix seconds of each click, int64 [e], ascending within a user.
        following: Position of the user's next click on the same item, e where there is none, int64 [e].
        kept_s: Age at which a click is forgotten.
    """

    users: Int64s
    opens: Int64s
    item: Int64s
    timestamp: Int64s
    following: Int64s
    kept_s: int

    @classmethod
    def build(cls, interactions: pd.DataFrame, item_ids: ArrayLike, kept_s: int | None = None) -> ClickLog:
        """Orders interactions.

        Args:
            interactions: Columns user_id, item_id, timestamp and, if not all are clicks, click; any order.
            item_ids: The shop's id of each item index; clicks on other items and of user -1 are left out.
            kept_s: Age at which a click is forgotten; by default as the process's settings say.
        """
        ids = np.asarray(item_ids, dtype=np.int64)
        item = pd.Index(ids).get_indexer(interactions["item_id"]).astype(np.int64)
        user = interactions["user_id"].to_numpy(np.int64)
        counted = (item >= 0) & (user != NO_ITEM)
        if "click" in interactions:
            counted &= interactions["click"].to_numpy() == 1
        user, item = user[counted], item[counted]
        time = interactions["timestamp"].to_numpy(np.int64)[counted]
        order = np.lexsort((_text_ranks(ids)[item], time, user))
        user, item, time = user[order], item[order], time[order]
        users, opens = np.unique(user, return_index=True)
        return cls(
            users,
            np.append(opens, len(user)).astype(np.int64),
            item,
            time,
            _following(user, item),
            get_settings().recents.kept_s if kept_s is None else kept_s,
        )

    @classmethod
    def empty(cls) -> ClickLog:
        """A log of no clicks."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, np.zeros(1, dtype=np.int64), none, none, none, 1)

    def before(self, user_id: ArrayLike, timestamp: ArrayLike) -> tuple[Int64s, Int64s]:
        """The clicks of some users before some moments, as slices of the log.

        Args:
            user_id: int64 [n]; users without clicks get an empty slice.
            timestamp: Unix seconds, int64 [n].

        Returns:
            First position and one past the last, int64 [n] each, however old the clicks are.
        """
        asked = np.asarray(user_id, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.users, asked), max(len(self.users) - 1, 0))
        known = self.users[place] == asked if len(self.users) else np.zeros(len(asked), dtype=bool)
        low = np.where(known, self.opens[place], 0)
        high = np.where(known, self.opens[np.minimum(place + 1, len(self.users))], 0)
        return low, self._first_at(low, high, np.asarray(timestamp, dtype=np.int64))

    def recent(self, user_id: ArrayLike, timestamp: ArrayLike, width: int = RECENT_CLICKS) -> RecentClicks:
        """The newest clicks of some users at some moments.

        All rows walk back through their user's clicks together, one click a step.

        Args:
            user_id: int64 [n], any; -1 and unknown users have no clicks.
            timestamp: Unix seconds, int64 [n].
            width: Items a row, at most.
        """
        now = np.asarray(timestamp, dtype=np.int64)
        low, stop = self.before(user_id, now)
        low = np.maximum(low, self._first_at(low, stop, now - self.kept_s + 1))
        items = np.full((len(now), width), NO_ITEM, dtype=np.int64)
        ages = np.zeros((len(now), width), dtype=np.float32)
        filled = np.zeros(len(now), dtype=np.int64)
        rows, at = np.arange(len(now)), stop - 1
        while True:
            live = (at >= low[rows]) & (filled[rows] < width)
            rows, at = rows[live], at[live]
            if not len(rows):
                return RecentClicks(items, ages)
            last = self.following[at] >= stop[rows]
            seen, click = rows[last], at[last]
            items[seen, filled[seen]] = self.item[click]
            ages[seen, filled[seen]] = (now[seen] - self.timestamp[click]) / _HOUR_S
            filled[seen] += 1
            at = at - 1

    def _first_at(self, low: Int64s, high: Int64s, moment: Int64s) -> Int64s:
        """First position in each slice [low, high) at or after a moment: a bisection of all at once."""
        low, high = low.copy(), high.copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            earlier = open_ & (self.timestamp[np.minimum(middle, len(self.timestamp) - 1)] < moment)
            low = np.where(earlier, middle + 1, low)
            high = np.where(open_ & ~earlier, middle, high)
        return low


def _text_ranks(ids: Int64s) -> Int64s:
    """Place of each id among all, in the order of their texts as bytes."""
    ranks = np.empty(len(ids), dtype=np.int64)
    ranks[np.argsort(ids.astype(bytes), kind="stable")] = np.arange(len(ids))
    return ranks


def _following(user: Int64s, item: Int64s) -> Int64s:
    size = len(user)
    order = np.lexsort((item, user))  # stable: position breaks ties
    same = (np.diff(user[order]) == 0) & (np.diff(item[order]) == 0)
    following = np.full(size, size, dtype=np.int64)
    following[order[:-1][same]] = order[1:][same]
    return following
