"""Ranking metrics, each from the rank of the one item that was clicked."""

from __future__ import annotations

from typing import Final

import numpy as np

CUTOFFS: Final = (10, 100, 300)

MISSED: Final = np.iinfo(np.int64).max
"""Rank of an item that was not retrieved."""


def ranks(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Rank of each row's positive: 1 + the number of items scored higher.

    A tie does not count against the positive, so scores that say nothing (all equal, NaN) would look perfect:
    `tied` tells how many there are and NaN is refused.

    Args:
        scores: float [rows, items].
        positive: Column of the positive, int [rows]; negative: not among the items.

    Returns:
        int64 [rows], `MISSED` where there is no positive or its score is -inf.

    Raises:
        ValueError: A score is NaN.
    """
    own = _own(scores, positive)
    higher = (scores > own[:, None]).sum(axis=1).astype(np.int64)
    return np.where(own > -np.inf, higher + 1, MISSED)


def tied(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Number of other items with exactly the positive's score, int64 [rows]; 0 where it was missed."""
    own = _own(scores, positive)
    same = (scores == own[:, None]).sum(axis=1).astype(np.int64) - 1
    return np.where(own > -np.inf, same, 0)


def _own(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    if np.isnan(scores).any():
        raise ValueError("a score is NaN")
    own = scores[np.arange(len(scores)), positive].astype(scores.dtype)
    return np.where(positive >= 0, own, -np.inf)


def positions(lists: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Rank of each row's positive in an ordered list, ties as the list has them.

    Args:
        lists: Item indexes, best first, int64 [rows, K]; negative entries are no items.
        positive: Item index of the positive, int64 [rows].

    Returns:
        int64 [rows], from 1; `MISSED` where it is not in the list.
    """
    found = lists == positive[:, None]
    return np.where(found.any(axis=1), found.argmax(axis=1) + 1, MISSED).astype(np.int64)


def gains(rank: np.ndarray) -> dict[str, np.ndarray]:
    """What each row adds to the means of `summary`.

    Args:
        rank: Of each row's positive, from 1, int64 [rows].

    Returns:
        float64 [rows] by name: `hit@k`, 1 where the positive is among the first k; `ndcg@10` with one
        relevant item, 1 / log2(rank + 1) within the first 10, else 0 (Järvelin and Kekäläinen, "Cumulated
        gain-based evaluation of IR techniques", 2002); `mrr`, 1 / rank, 0 where it was missed.
    """
    return {
        **{f"hit@{k}": (rank <= k).astype(np.float64) for k in CUTOFFS},
        "ndcg@10": np.where(rank <= 10, 1 / np.log2(np.minimum(rank, 10) + 1), 0.0),
        "mrr": np.where(rank < MISSED, 1 / rank, 0.0),
    }


def hit(rank: np.ndarray, k: int) -> float:
    """Share of rows whose positive is among the first k."""
    return float(np.mean(rank <= k))


def ndcg(rank: np.ndarray, k: int) -> float:
    """NDCG@k; see `gains`."""
    return float(np.mean(np.where(rank <= k, 1 / np.log2(np.minimum(rank, k) + 1), 0.0)))


def mrr(rank: np.ndarray) -> float:
    """Mean of 1 / rank, 0 where the positive was missed."""
    return float(np.mean(np.where(rank < MISSED, 1 / rank, 0.0)))


def coverage(shown: np.ndarray, items: int) -> float:
    """Share of the catalogue that is in at least one list; negative entries are no items."""
    return len(np.unique(shown[shown >= 0])) / items


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve, as the Mann-Whitney U statistic; ties count one half.

    Args:
        scores: float [rows].
        labels: 0 or 1 [rows].

    Returns:
        NaN where only one label is there.
    """
    positive = labels == 1
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    u = mean_rank[inverse][positive].sum() - n_positive * (n_positive + 1) / 2
    return float(u / (n_positive * n_negative))


def summary(rank: np.ndarray) -> dict[str, float]:
    """hit@10, hit@100, hit@300, ndcg@10 and mrr of some ranks."""
    return {name: float(np.mean(values)) for name, values in gains(rank).items()}
