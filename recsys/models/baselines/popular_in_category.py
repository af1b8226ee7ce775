"""What is clicked most in the category that the user has clicked most of late."""

from __future__ import annotations

import numpy as np
import pandas as pd


class PopularInCategory:
    """The items of the user's top category by clicks, then all others by clicks.

    Args:
        item: Item index of each training click, int64 [clicks].
        category: category_l1 of each item, int64 [items].
    """

    def __init__(self, item: np.ndarray, category: np.ndarray) -> None:
        self._clicks = np.bincount(item, minlength=len(category)).astype(np.float32)
        self._category = category

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        """float32 [rows, items]; see `Baseline`. A user without a top category gets plain popularity."""
        inside = rows["top_category"].to_numpy()[:, None] == self._category[None, :]
        first = np.float32(self._clicks.max() + 1)
        scores: np.ndarray = self._clicks[None, :] + inside * first
        return scores
