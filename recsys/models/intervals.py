"""How sure means over test rows are: users drawn again, with replacement (`recsys.release.bootstrap`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recsys.models import metrics
from recsys.release.bootstrap import Draws

Ends = list[float]
"""[low, high]."""


def of_means(
    values: np.ndarray,
    users: np.ndarray,
    counted: np.ndarray | None = None,
    draws: Draws = Draws(),  # noqa: B008 - frozen
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile intervals of the columns' means; all columns share the draws.

    So a column of differences is a paired comparison.

    Args:
        values: float [rows, columns].
        users: Who each row belongs to, any integers [rows].
        counted: Which rows a column's mean is over, bool [rows, columns]; None: all.
        draws: How many, how wide, from which seed.

    Returns:
        Lower and upper ends, float64 [columns] each; NaN for a column without rows.
    """
    columns = values.shape[1]
    if not len(values):
        return np.full(columns, np.nan), np.full(columns, np.nan)
    _, code = np.unique(users, return_inverse=True)
    counted = np.ones(values.shape, dtype=bool) if counted is None else counted
    sums = _by_user(np.where(counted, values, 0.0), code)
    rows = _by_user(counted.astype(np.float64), code)
    means = np.concatenate([_divided(weights @ sums, weights @ rows) for weights in draws.weights(len(rows))])
    tail = (1 - draws.confidence) / 2
    there = counted.any(axis=0)
    ends = np.full((2, columns), np.nan)
    ends[:, there] = np.nanquantile(means[:, there], [tail, 1 - tail], axis=0)
    return ends[0], ends[1]


def of_ranks(
    ranks: Mapping[str, np.ndarray],
    users: np.ndarray,
    *,
    against: str = "",
    draws: Draws = Draws(),  # noqa: B008 - frozen
) -> tuple[dict[str, dict[str, Ends]], dict[str, dict[str, dict[str, Any]]]]:
    """Intervals of every headline metric of several recommenders on the same rows.

    Args:
        ranks: Rank of each row's click, int64 [rows], by the recommender's name.
        users: Who each row belongs to, [rows].
        against: One of the names: its differences from the others are told too.
        draws: How many, how wide, from which seed.

    Returns:
        {name: {metric: [low, high]}} and, "chain" standing for `against`,
        {"chain - als": {metric: {"mean": float, "interval": [low, high]}}}.
    """
    gains = {name: metrics.gains(rank) for name, rank in ranks.items()}
    columns = {(name, metric): column for name, own in gains.items() for metric, column in own.items()}
    paired = {
        (f"{against} - {name}", metric): gains[against][metric] - column
        for name in ranks
        if against and name != against
        for metric, column in gains[name].items()
    }
    everything = [*columns.values(), *paired.values()]
    if not everything:
        return {}, {}
    low, high = of_means(np.stack(everything, axis=1), users, draws=draws)
    ends = [[float(a), float(b)] for a, b in zip(low, high, strict=True)]
    intervals: dict[str, dict[str, Ends]] = {}
    for (name, metric), pair in zip(columns, ends, strict=False):
        intervals.setdefault(name, {})[metric] = pair
    differences: dict[str, dict[str, dict[str, Any]]] = {}
    for (name, metric), pair in zip(paired, ends[len(columns) :], strict=True):
        mean = float(np.mean(paired[name, metric]))
        differences.setdefault(name, {})[metric] = {"mean": mean, "interval": pair}
    return intervals, differences


def _by_user(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Sums of a user's rows, float64 [users, columns]."""
    return np.stack([np.bincount(code, weights=column) for column in values.T], axis=1)


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
