"""The same list for everybody: what is clicked most."""

from __future__ import annotations

import numpy as np
import pandas as pd


class Popularity:
    """Scores an item by its clicks.

    Args:
        item: Item index of each training click, int64 [clicks].
        items: Size of the catalogue.
    """

    def __init__(self, item: np.ndarray, items: int) -> None:
        self._clicks = np.bincount(item, minlength=items).astype(np.float32)

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        """float32 [rows, items]; see `Baseline`."""
        return np.broadcast_to(self._clicks, (len(rows), len(self._clicks)))
