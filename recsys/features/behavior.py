"""A user's top category: the category_l1 clicked most often over the past 24 hours.

The same definition in three forms. `top_category` computes it for every row of a table at once,
`TopCategories` for rows that come block by block, and `TopCategory` keeps it up to date for one user, event
by event, as the online worker does. For a user at time t:

* the window is [t - 24 h, t): what happens at t itself is not seen, so a row never sees itself;
* the value is the category with most clicks in the window, ties going to the one clicked last (and, if those
  two clicks bear the same time, to the smaller category, so that the order of arrival does not matter);
* an empty window keeps the value that held right after the user's last click;
* before any click it is `schema.UNKNOWN`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from recsys.errors import BadUse
from recsys.features.modes import Int64s, modes
from recsys.schema import TOP_CATEGORY_WINDOW_S, UNKNOWN


def top_category(
    user_id: ArrayLike,
    timestamp: ArrayLike,
    category_l1: ArrayLike,
    clicked: ArrayLike | None = None,
    window: int = TOP_CATEGORY_WINDOW_S,
) -> Int64s:
    """Top category of each row's user just before the row's time.

    Rows may come in any order; the answer is in the order given. Takes O(n log n) for the sorts and O(clicks
    in the window) searches a row after them.

    Args:
        user_id: int64 [n].
        timestamp: int64 [n], in any unit (unix seconds throughout the project).
        category_l1: int64 [n], category of the row's item.
        clicked: bool [n], the rows that count as events; every row gets an answer. None: all count.
        window: Length of the window in the unit of `timestamp`.

    Returns:
        int64 [n].

    Raises:
        BadUse: The arrays differ in length, or users times time span do not fit in an int64.
    """
    users = np.asarray(user_id, dtype=np.int64)
    times = np.asarray(timestamp, dtype=np.int64)
    categories = np.asarray(category_l1, dtype=np.int64)
    events = np.ones(len(users), dtype=bool) if clicked is None else np.asarray(clicked, dtype=bool)
    if not len(users) == len(times) == len(categories) == len(events):
        lengths = [len(users), len(times), len(categories), len(events)]
        raise BadUse("top_category", f"arrays of different lengths {lengths}", "Pass one value a row in each")
    if not len(users):
        return np.empty(0, dtype=np.int64)

    keys, stride = _user_time_keys(users, times, window)
    # Newest last, and of one moment's clicks the smallest category last: walking backwards from a row meets
    # the winner of every tie first.
    order = np.lexsort((~categories[events], keys[events]))
    event_keys, event_categories = keys[events][order], categories[events][order]

    # Rows of one user and moment share their answer; sorted searches also share their cache lines.
    moments, row_moment = np.unique(keys, return_inverse=True)
    stop = np.searchsorted(event_keys, moments)
    start = _window_starts(event_keys, moments, stop, stride, window)
    answers: Int64s = modes(event_keys // stride, event_categories, start, stop)[row_moment]
    return answers


class TopCategories:
    """`top_category` of rows that come block by block, each block later than those before.

    Keeps of each user what later rows may look back on: the clicks in the window of the newest one. So memory
    is that of a block and of one window's clicks of each user, however many blocks there are.

    Args:
        window: Length of the window in the unit of the timestamps.
    """

    def __init__(self, window: int = TOP_CATEGORY_WINDOW_S) -> None:
        self._window = window
        self._users, self._times, self._categories = (np.empty(0, dtype=np.int64) for _ in range(3))

    def extend(
        self, user_id: ArrayLike, timestamp: ArrayLike, category_l1: ArrayLike, clicked: ArrayLike
    ) -> Int64s:
        """Answers the next block and takes its clicks in.

        Args:
            user_id: int64 [n].
            timestamp: int64 [n], each greater than any of earlier blocks.
            category_l1: int64 [n].
            clicked: bool [n], the rows that count as events.

        Returns:
            int64 [n], what `top_category` gives for these rows among all so far.

        Raises:
            BadUse: As `top_category`, or a row is not later than the earlier blocks.
        """
        users, times, categories = (
            np.asarray(column, dtype=np.int64) for column in (user_id, timestamp, category_l1)
        )
        events, kept = np.asarray(clicked, dtype=bool), len(self._users)
        if kept and len(times) and times.min() <= self._times.max():
            cause = f"a row at {times.min()} after a click at {self._times.max()}"
            raise BadUse("TopCategories", cause, "Give blocks in the order of time")
        self._users = np.concatenate([self._users, users])
        self._times = np.concatenate([self._times, times])
        self._categories = np.concatenate([self._categories, categories])
        known = np.concatenate([np.ones(kept, dtype=bool), events])
        answers = top_category(self._users, self._times, self._categories, known, self._window)[kept:]
        self._forget(known)
        return answers

    def _forget(self, known: np.ndarray) -> None:
        """Leaves only what is in view right after each user's newest click."""
        users, times = self._users[known], self._times[known]
        distinct, dense = np.unique(users, return_inverse=True)
        newest = np.full(len(distinct), np.iinfo(np.int64).min)
        np.maximum.at(newest, dense, times)
        view = times > newest[dense] - self._window
        self._users, self._times = users[view], times[view]
        self._categories = self._categories[known][view]


def _user_time_keys(users: Int64s, times: Int64s, window: int) -> tuple[Int64s, int]:
    """One sortable int64 for (user, time), and the stride between users.

    Within a user differences of keys are differences of time; the stride is wide enough that no window
    reaches into another user's keys.
    """
    distinct, dense = np.unique(users, return_inverse=True)
    first, last = int(times.min()), int(times.max())
    stride = last - first + window + 1
    if (len(distinct) + 1) * stride > np.iinfo(np.int64).max:
        raise BadUse(
            "top_category",
            f"timestamps from {first} to {last} span too much for {len(distinct)} users",
            "Give all of them in one unit, seconds, and set rows with impossible times aside",
        )
    return dense * stride + (times - first), stride


def _window_starts(event_keys: Int64s, moments: Int64s, stop: Int64s, stride: int, window: int) -> Int64s:
    """First event in view of each moment; `stop` is one past the last.

    An empty window is moved back to what was in view right after the user's last click, and stays empty for
    users without an earlier click.
    """
    start: Int64s = np.searchsorted(event_keys, moments - window)
    empty = np.flatnonzero((start == stop) & (stop > 0))
    last_click = event_keys[stop[empty] - 1]
    own = last_click // stride == moments[empty] // stride
    start[empty[own]] = np.searchsorted(event_keys, last_click[own] + 1 - window)
    return start


class TopCategory:
    """Top category of one user, kept up to date click by click.

    Equal to `top_category` when clicks are pushed in the order of time. A click that arrives late counts
    while it lies in the window of the newest one and is ignored after that.

    Args:
        events: (timestamp, category_l1) pairs known already, for example read back from the store.
        kept: The value to keep while there is no click, for example the one in the feature store.
        window: Length of the window in the unit of the timestamps.
    """

    def __init__(
        self,
        events: Iterable[tuple[int, int]] = (),
        kept: int = UNKNOWN,
        window: int = TOP_CATEGORY_WINDOW_S,
    ) -> None:
        self._window = window
        self._kept = kept  # value right after the last click before the newest one
        self._events: list[tuple[int, int]] = []  # (time, ~category), ascending: as `top_category` sorts
        for timestamp, category in sorted(events):
            self.push(timestamp, category)

    def push(self, timestamp: int, category: int) -> None:
        """Takes in one click.

        Args:
            timestamp: Time of the click.
            category: category_l1 of the clicked item.
        """
        event = (int(timestamp), ~int(category))
        if self._events:
            newest = self._events[-1][0]
            if event[0] < newest - self._window:
                return
            if event[0] > newest:
                self._kept = self.value(newest + 1)
                del self._events[: self._first_at(event[0] - self._window)]
        insort(self._events, event)

    def value(self, at: int) -> int:
        """The top category at a time, seeing only clicks strictly before it.

        Args:
            at: Not before the newest click.

        Returns:
            A category_l1, or `UNKNOWN` before any click.

        Raises:
            BadUse: `at` lies before the newest click: what held then is no longer known.
        """
        if not self._events:
            return self._kept
        newest = self._events[-1][0]
        if at < newest:
            cause = f"asked for time {at}, before the newest click at {newest}"
            raise BadUse("TopCategory", cause, "Ask in the order of time")
        in_view = self._events[self._first_at(at - self._window) : self._first_at(at)]
        if in_view:
            return _mode(in_view)
        return self._kept if at == newest else self.value(newest + 1)

    def _first_at(self, timestamp: int) -> int:
        """Index of the first event at or after a time."""
        return bisect_left(self._events, timestamp, key=lambda event: event[0])


def _mode(events: list[tuple[int, int]]) -> int:
    """Most frequent category of (time, ~category) pairs in ascending order, ties to the last one."""
    counts: dict[int, int] = {}
    for _, inverted in reversed(events):
        counts[inverted] = counts.get(inverted, 0) + 1
    # A dict keeps the order of insertion and max() the first of equals: the newest of a tie.
    return ~max(counts, key=counts.__getitem__)
