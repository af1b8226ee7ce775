"""Statistics of one release's rows, or of two releases' rows side by side."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from recsys.models import metrics
from recsys.models.outcomes import Outcomes
from recsys.release.bootstrap import (
    Draws,
    Interval,
    Statistic,
    auc_of,
    calibration_error_of,
    less,
    over,
    share_of,
)

_SHARED: Final = 0.5
"""Share of a release's rows that its parent must have been measured on too, to be compared with."""

_PAIRS: Final = ("ranker.auc", "ranker.ece")


class Rows:
    """A release's rows, beside its parent's where they are to be compared.

    Args:
        own: The release's.
        parent: Its parent's; then only rows that both were measured on count.
    """

    def __init__(self, own: Outcomes, parent: Outcomes | None = None) -> None:
        self._own, self._parent = own, parent

    def interval(self, metric: str, draws: Draws) -> Interval:
        """The release's own value.

        Args:
            metric: `chain.` or `retrieval.` with a name of `recsys.models.metrics.gains`; `ranker.auc`,
                `ranker.ece`, `chain.coverage@10` or `retrieval.alive`.
            draws: How the interval is made.
        """
        if (reach := _reach(self._own, metric)) is not None:
            return draws.of_reach(reach)
        rows = np.arange(len(self._own["pair_row" if metric in _PAIRS else "row"]))
        user, users = _users(self._own, metric, rows)
        return draws.interval(_statistic(self._own, metric, rows, user), users) if users else _nothing()

    def share(self, metric: str, of: str, draws: Draws) -> Interval:
        """One rank metric as a share of another of the same rows."""
        rows = np.arange(len(self._own["row"]))
        user, users = _users(self._own, metric, rows)
        if not users:
            return _nothing()
        above, below = (_statistic(self._own, name, rows, user) for name in (metric, of))
        return draws.interval(over(above, below), users)

    def against_parent(self, metric: str, draws: Draws, *, difference: bool = False) -> Interval:
        """The value as a share of the parent's on the rows of both, or minus it; NaN where these are few."""
        if self._parent is None:
            return _nothing()
        reaches = _reach(self._own, metric), _reach(self._parent, metric)
        if reaches[0] is not None and reaches[1] is not None:
            return draws.of_reaches(reaches[0], reaches[1])
        own_keys, parent_keys = _keys(self._own, metric), _keys(self._parent, metric)
        _, rows, others = np.intersect1d(own_keys, parent_keys, return_indices=True)
        if not len(rows) or len(rows) < _SHARED * len(own_keys):
            return _nothing()
        user, users = _users(self._own, metric, rows)
        own = _statistic(self._own, metric, rows, user)
        parent = _statistic(self._parent, metric, others, user)
        if difference:
            return draws.interval(less(own, parent), users)
        if parent(np.ones((1, users)))[0] == 0:  # what was never reached cannot be lost
            return Interval.point(math.inf)
        return draws.interval(over(own, parent), users)


def probability(outcomes: Outcomes) -> np.ndarray:
    """What the ranker states: its probability, or where it has none, its score, which is in 0..1 too."""
    return outcomes["pair_probability" if "pair_probability" in outcomes else "pair_score"]


def ranks(outcomes: Outcomes, part: str) -> np.ndarray:
    """Ranks as `recsys.models.metrics` has them, int64 [rows]: `MISSED` where the list lacks the click.

    Args:
        outcomes: A release's.
        part: `chain` or `retrieval`.
    """
    rank = outcomes[f"{part}_rank"].astype(np.int64)
    return np.where(rank > 0, rank, metrics.MISSED)


def _statistic(outcomes: Outcomes, metric: str, rows: np.ndarray, user: np.ndarray) -> Statistic:
    part, name = metric.split(".")
    if metric == "ranker.auc":
        return auc_of(user, outcomes["pair_label"][rows], outcomes["pair_score"][rows])
    if metric == "ranker.ece":
        return calibration_error_of(user, outcomes["pair_label"][rows], probability(outcomes)[rows])
    return share_of(user, metrics.gains(ranks(outcomes, part)[rows])[name])


def _keys(outcomes: Outcomes, metric: str) -> np.ndarray:
    """What tells the rows of a metric apart; a negative may be the very item that was clicked."""
    if metric in _PAIRS:
        return outcomes["pair_row"] + outcomes["pair_label"].astype(np.uint64)
    return outcomes["row"]


def _users(outcomes: Outcomes, metric: str, rows: np.ndarray) -> tuple[np.ndarray, int]:
    """The user of each row, numbered from 0, and how many there are."""
    known, user = np.unique(outcomes["pair_user" if metric in _PAIRS else "user"][rows], return_inverse=True)
    return user, len(known)


def _reach(outcomes: Outcomes, metric: str) -> np.ndarray | None:
    name = {"chain.coverage@10": "shown", "retrieval.alive": "retrieved"}.get(metric)
    return outcomes[name] if name else None


def _nothing() -> Interval:
    return Interval.point(math.nan)
