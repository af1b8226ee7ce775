"""The score of an oracle: how well one could rank who knew every utility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from recsys.data.synthetic.events import Day
from recsys.data.synthetic.utility import Utility

ORACLE_ROWS: Final = 4096
"""Clicks of a day that the oracle is measured on."""

_CHUNK = 512


@dataclass(frozen=True)
class OracleScores:
    """What an oracle makes of a sample of a day's clicks.

    Attributes:
        ranks: int64 [clicks], 1 + the number of products of the whole catalogue with a higher
            utility than the one clicked.
        clicked: float32 [clicks], utility (log-probability) of the product clicked.
        shown: float32 [shown], utility of the products shown beside these clicks and passed over.
    """

    ranks: np.ndarray
    clicked: np.ndarray
    shown: np.ndarray


def score_day(utility: Utility, day: Day, seed: int, intent: bool = True) -> OracleScores:
    """Scores a day's clicks by utility.

    Args:
        utility: The shoppers' preferences.
        day: The day; `ORACLE_ROWS` of its clicks are drawn, or all where there are fewer.
        seed: Of the draw.
        intent: Whether the oracle also knows what the session is about.

    Returns:
        The scores.
    """
    rows = np.random.default_rng([seed, 5]).permutation(len(day.clicked))[:ORACLE_ROWS]
    parts = [_score(utility, day, rows[i : i + _CHUNK], intent) for i in range(0, len(rows), _CHUNK)]
    return merge(parts)


def merge(scores: list[OracleScores]) -> OracleScores:
    """Joins the scores of several samples."""
    return OracleScores(
        np.concatenate([s.ranks for s in scores]),
        np.concatenate([s.clicked for s in scores]),
        np.concatenate([s.shown for s in scores]),
    )


def oracle_metrics(scores: OracleScores) -> dict[str, float]:
    """Returns `rank_metrics` and `auc`: how often a click has a higher utility than what was passed over."""
    return {**rank_metrics(scores.ranks), "auc": _auc(scores.clicked, scores.shown)}


def rank_metrics(ranks: np.ndarray) -> dict[str, float]:
    """Scores of ranks where each row has one right answer.

    Args:
        ranks: int [n], from 1.

    Returns:
        hit@10, hit@100, hit@300: share of ranks up to k; mrr: mean of 1 / rank; ndcg@10: mean of
        1 / log2(1 + rank) up to rank 10 (Järvelin & Kekäläinen, 2002, with one relevant item).
    """
    gain = np.where(ranks <= 10, 1 / np.log2(1 + ranks), 0.0)
    hits = {f"hit@{k}": float((ranks <= k).mean()) for k in (10, 100, 300)}
    return {**hits, "mrr": float((1 / ranks).mean()), "ndcg@10": float(gain.mean())}


def _score(utility: Utility, day: Day, rows: np.ndarray, intent: bool) -> OracleScores:
    situation = day.situation.take(rows)
    scores = utility.catalogue(situation if intent else situation.without_intent())
    own = np.take_along_axis(scores, day.clicked[rows, None], axis=1)
    place = np.full(len(day.clicked), -1)
    place[rows] = np.arange(len(rows))
    beside = place[day.beside]
    seen = beside >= 0
    return OracleScores(1 + (scores > own).sum(axis=1), own[:, 0], scores[beside[seen], day.shown[seen]])


def _auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic; ties count half, 0.5 without negatives."""
    if len(negative) == 0:
        return 0.5
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    up_to = np.searchsorted(ordered, positive, side="right")
    return float(((below + up_to) / 2).mean() / len(ordered))
