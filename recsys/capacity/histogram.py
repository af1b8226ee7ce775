"""Latency quantiles of any number of requests in bounded memory."""

from __future__ import annotations

from typing import Final

import numpy as np

_LEAST_S: Final = 1e-5
_GROWTH: Final = 1.01
_BINS: Final = 1_800  # up to about 600 s


class Histogram:
    """Counts in bins that are 1 % wide, one row a period; quantiles are exact to 1 %.

    Args:
        periods: Number of rows.
    """

    def __init__(self, periods: int) -> None:
        self._counts = np.zeros((periods, _BINS), np.int64)

    def add(self, period: int, seconds: np.ndarray) -> None:
        """Count values, float64 [n], in seconds."""
        place = np.log(np.maximum(seconds, _LEAST_S) / _LEAST_S) / np.log(_GROWTH)
        self._counts[period] += np.bincount(np.minimum(place.astype(np.int64), _BINS - 1), minlength=_BINS)

    def quantile_s(self, probability: float) -> float:
        """Quantile over all rows in seconds; NaN where nothing was counted."""
        return float(_quantiles(self._counts.sum(axis=0, keepdims=True), probability)[0])

    def quantiles_s(self, probability: float) -> np.ndarray:
        """Quantile of each row in seconds, float64 [periods]; NaN where it is empty."""
        return _quantiles(self._counts, probability)


def _quantiles(counts: np.ndarray, probability: float) -> np.ndarray:
    total = counts.sum(axis=1)
    place = (counts.cumsum(axis=1) < np.ceil(probability * total)[:, None]).sum(axis=1)
    middle = _LEAST_S * _GROWTH ** (place + 0.5)
    return np.where(total > 0, middle, np.nan)
