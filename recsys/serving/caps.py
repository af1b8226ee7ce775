"""At most so many items of a category in an answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.schema import ITEM_FEATURES_FILE, NO_ITEM, UNKNOWN
from recsys.serving.diversity import Floats


def capped(
    relevance: Floats, category: NDArray[np.int64], count: int, most: int | NDArray[np.integer]
) -> NDArray[np.int64]:
    """Choose by relevance, passing over items whose category is full.

    Where that leaves too few, the best of those passed over come last: a cap spreads an answer, it does not
    shorten it.

    Args:
        relevance: [B, K], greater is better; -inf where there is no item.
        category: Of each item, int64 [B, K].
        count: How many to choose, at most K.
        most: Items of one category, at least 1, for all or int [B].

    Returns:
        Columns int64 [B, count], none twice; where there are fewer items the rest are columns without one.
    """
    order = np.argsort(-relevance, axis=1, kind="stable")
    beyond = np.take_along_axis(passed_over(relevance, category, most), order, axis=1)
    there = np.isfinite(np.take_along_axis(relevance, order, axis=1))
    kind = np.where(there, beyond, 2)
    first = np.argsort(kind, axis=1, kind="stable")[:, :count]
    chosen: NDArray[np.int64] = np.take_along_axis(order, first, axis=1)
    return chosen


def passed_over(
    relevance: Floats, category: NDArray[np.int64], most: int | NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Which items find their category full when one chooses by relevance, bool [B, K]; see `capped`."""
    order = np.argsort(-relevance, axis=1, kind="stable")
    place = _place_within(np.take_along_axis(category, order, axis=1))
    beyond = np.zeros(relevance.shape, np.bool_)
    np.put_along_axis(beyond, order, place >= np.reshape(most, (-1, 1)), axis=1)
    return beyond


class ItemCategories:
    """Top-level categories of a release's items, read when first asked for.

    Args:
        artefacts: Folder of the release.
    """

    def __init__(self, artefacts: Path) -> None:
        self._path = artefacts / ITEM_FEATURES_FILE
        self._column: NDArray[np.int64] | None = None

    def of(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Their categories, int64 [B, K].

        Args:
            items: int64 [B, K], item indexes; `UNKNOWN` where there is no item.
        """
        if self._column is None:
            with np.load(self._path, allow_pickle=False) as values:
                self._column = values["category_l1"]
        there = items != NO_ITEM
        found: NDArray[np.int64] = np.where(there, self._column[np.where(there, items, 0)], UNKNOWN)
        return found


def _place_within(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many equal values stand before each one in its row, int64 [B, K]."""
    grouped = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, grouped, axis=1)
    at = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    begins = np.concatenate([np.ones((len(values), 1), bool), ordered[:, 1:] != ordered[:, :-1]], axis=1)
    start = np.maximum.accumulate(np.where(begins, at, 0), axis=1)
    place = np.empty(values.shape, np.int64)
    np.put_along_axis(place, grouped, at - start, axis=1)
    return place
