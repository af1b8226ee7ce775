"""The most frequent category of many overlapping stretches of events, all at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsys.schema import UNKNOWN

Int64s = NDArray[np.int64]


def modes(users: Int64s, categories: Int64s, start: Int64s, stop: Int64s) -> Int64s:
    """Most frequent category of each slice [start, stop) of one user's events, ties to the last one.

    All slices walk backwards together, one event a step; a slice is done when what is left of it is too
    short to beat its best.

    Args:
        users: int64 [e], ascending.
        categories: int64 [e].
        start: int64 [q], first event of a slice.
        stop: int64 [q], one past its last event.

    Returns:
        int64 [q]; `UNKNOWN` for an empty slice.
    """
    filled = stop > start
    best = np.full(len(start), UNKNOWN, dtype=np.int64)
    best[filled] = categories[stop[filled] - 1]
    best_count = np.zeros(len(start), dtype=np.int64)
    active = np.flatnonzero(stop - start > 2)  # one or two clicks: the last one wins in any case
    if not len(active):
        return best

    place, group, following, ordered_keys = _occurrences(users, categories)
    step = 0
    while len(active):
        step += 1
        event = stop[active] - step
        newest = following[event] >= stop[active]  # its category has not been met yet on this walk
        rows, event_of_row = active[newest], event[newest]
        first_inside = np.searchsorted(ordered_keys, group[event_of_row] * len(users) + start[rows])
        count = place[event_of_row] - first_inside + 1
        better = count > best_count[rows]
        best[rows[better]] = categories[event_of_row[better]]
        best_count[rows[better]] = count[better]
        active = active[event - start[active] > best_count[active]]
    return best


def _occurrences(users: Int64s, categories: Int64s) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """Where each event stands among its user's events of the same category.

    Returns:
        place: int64 [e], rank of the event in the order (user, category, position).
        group: int64 [e], number of its (user, category) pair.
        following: int64 [e], position of the pair's next event, e where there is none.
        ordered_keys: int64 [e], group * e + position in the order of `place`: ascending.
    """
    size = len(users)
    order = np.lexsort((categories, users))  # stable: position breaks ties
    opens = np.ones(size, dtype=bool)
    opens[1:] = (np.diff(users[order]) != 0) | (np.diff(categories[order]) != 0)
    group_in_order = np.cumsum(opens) - 1
    place, group, following = (np.empty(size, dtype=np.int64) for _ in range(3))
    place[order] = np.arange(size)
    group[order] = group_in_order
    following[order] = np.where(np.append(opens[1:], True), size, np.append(order[1:], 0))
    return place, group, following, group_in_order * size + order
