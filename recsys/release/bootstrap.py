"""Intervals of what a release is judged by: its users drawn again, with replacement.

A statistic is a function of weights: how often each user came in a draw. Two releases that are measured on
the same rows are compared within the same draws (a paired comparison), so what is hard about a row cancels.
Sources: the percentile interval, Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13;
drawing whole users, since rows of one user are no independent draws, Field and Welsh, "Bootstrapping
clustered data", 2007.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

Statistic = Callable[[np.ndarray], np.ndarray]
"""Weights of the users, float64 [draws, users] -> its value in each draw, float64 [draws]."""

_AT_ONCE: Final = 4_000_000
_BINS: Final = 20


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its interval; all three equal where there is no interval."""

    value: float
    low: float
    high: float

    @classmethod
    def point(cls, value: float) -> Interval:
        """A value of which no interval is known."""
        return cls(value, value, value)


@dataclass(frozen=True)
class Draws:
    """How an interval is made.

    Attributes:
        resamples: Number of draws.
        confidence: Share of the draws inside the interval.
        seed: Of the draws.
    """

    resamples: int = 1_000
    confidence: float = 0.95
    seed: int = 0

    def interval(self, statistic: Statistic, users: int) -> Interval:
        """The percentile interval of a statistic of so many users; NaN where there are none."""
        if users == 0:
            return Interval.point(math.nan)
        value = float(statistic(np.ones((1, users)))[0])
        return self._ends(value, np.concatenate([statistic(part) for part in self.weights(users)]))

    def of_ratios(self, above: np.ndarray, below: np.ndarray) -> Interval:
        """The median of `above` [n] over `below` [n], each round by itself, so what befell both cancels."""
        if not len(above) or len(above) != len(below):
            return Interval.point(math.nan)
        ratio = above / below
        rounds = np.random.default_rng(self.seed).integers(len(ratio), size=(self.resamples, len(ratio)))
        return self._ends(float(np.median(ratio)), np.median(ratio[rounds], axis=1))

    def of_reach(self, counts: np.ndarray) -> Interval:
        """The share of items that are in any list at all.

        Its variance is at most the expected number of items in exactly one list, over n^2 (Efron and Stein,
        "The jackknife estimate of variance", 1981); the interval is the normal one around what was seen.
        Drawing rows again would not do: a draw holds fewer distinct rows and so reaches fewer items.

        Args:
            counts: How many lists held each item, [n].
        """
        share, deviation = _reach(counts)
        reach = self._deviations * deviation
        return Interval(share, share - reach, share + reach)

    def of_reaches(self, counts: np.ndarray, others: np.ndarray) -> Interval:
        """One such share over another, as if they were independent; by the delta method on the logarithms."""
        (share, one), (other, two) = _reach(counts), _reach(others)
        if not share or not other:
            return Interval.point(math.nan if not other else 0.0)
        ratio, reach = share / other, self._deviations * math.hypot(one / share, two / other)
        return Interval(ratio, ratio * math.exp(-reach), ratio * math.exp(reach))

    @property
    def _deviations(self) -> float:
        return NormalDist().inv_cdf((1 + self.confidence) / 2)

    def _ends(self, value: float, found: np.ndarray) -> Interval:
        tail = (1 - self.confidence) / 2
        known = found[np.isfinite(found)]
        if math.isnan(value) or not len(known):
            return Interval.point(math.nan)
        low, high = np.quantile(known, [tail, 1 - tail])
        return Interval(value, float(low), float(high))

    def weights(self, users: int) -> Iterator[np.ndarray]:
        """How often each user came in each draw, float64 [some draws, users] at a time."""
        rng = np.random.default_rng(self.seed)
        step = max(1, min(self.resamples, _AT_ONCE // users))
        for at in range(0, self.resamples, step):
            count = min(step, self.resamples - at)
            drawn = rng.integers(users, size=(count, users)) + np.arange(count)[:, None] * users
            yield np.bincount(drawn.ravel(), minlength=count * users).reshape(count, users).astype(np.float64)


def share_of(user: np.ndarray, above: np.ndarray, below: np.ndarray | None = None) -> Statistic:
    """Sum of `above` over the sum of `below`; without it, the mean of `above`.

    Args:
        user: Which user each row belongs to, int64 [rows], from 0.
        above: float [rows].
        below: float [rows].
    """
    top = np.bincount(user, weights=above)
    bottom = np.bincount(user, weights=np.ones(len(user)) if below is None else below)

    def statistic(weights: np.ndarray) -> np.ndarray:
        return _divided(weights @ top, weights @ bottom)

    return statistic


def auc_of(user: np.ndarray, label: np.ndarray, score: np.ndarray) -> Statistic:
    """Area under the ROC curve of weighted rows, ties counting one half; see `recsys.models.metrics.auc`.

    Args:
        user: Which user each row belongs to, int64 [rows], from 0.
        label: 0 or 1 [rows].
        score: float [rows].
    """
    order = np.argsort(score, kind="stable")
    _, first = np.unique(score[order], return_index=True)
    owner, clicked = user[order], label[order] == 1

    def statistic(weights: np.ndarray) -> np.ndarray:
        rows = weights[:, owner]
        positive = np.add.reduceat(np.where(clicked, rows, 0.0), first, axis=1)
        negative = np.add.reduceat(np.where(clicked, 0.0, rows), first, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        return _divided((positive * below).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))

    return _by_part(statistic, len(user))


def calibration_error_of(user: np.ndarray, label: np.ndarray, probability: np.ndarray) -> Statistic:
    """Expected calibration error in bins of equally many rows; see `recsys.models.calibration`.

    Args:
        user: Which user each row belongs to, int64 [rows], from 0.
        label: 0 or 1 [rows].
        probability: float [rows].
    """
    order = np.argsort(probability, kind="stable")
    first = np.unique([part[0] for part in np.array_split(np.arange(len(order)), _BINS) if len(part)])
    owner = user[order]
    gap: np.ndarray = (label - probability.astype(np.float64))[order]

    def statistic(weights: np.ndarray) -> np.ndarray:
        rows = weights[:, owner]
        gaps = np.add.reduceat(rows * gap, first, axis=1)
        return _divided(np.abs(gaps).sum(axis=1), rows.sum(axis=1))

    return _by_part(statistic, len(user))


def over(one: Statistic, other: Statistic) -> Statistic:
    """One statistic as a share of another, within the same draws."""
    return lambda weights: _divided(one(weights), other(weights))


def less(one: Statistic, other: Statistic) -> Statistic:
    """One statistic minus another, within the same draws."""
    return lambda weights: one(weights) - other(weights)


def _by_part(statistic: Statistic, rows: int) -> Statistic:
    """The same with bounded memory: a statistic of rows makes arrays of [draws, rows]."""
    step = max(1, _AT_ONCE // max(rows, 1))

    def parts(weights: np.ndarray) -> np.ndarray:
        found = [statistic(weights[at : at + step]) for at in range(0, len(weights), step)]
        return np.concatenate(found)

    return parts


def _reach(counts: np.ndarray) -> tuple[float, float]:
    """The share of items with a count, and a bound on its standard deviation."""
    if not len(counts):
        return math.nan, math.nan
    return float(np.mean(counts > 0)), math.sqrt(np.count_nonzero(counts == 1)) / len(counts)


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below != 0)
