"""The score of an oracle: how well one could rank who knew every utility."""

from __future__ import annotations

from typing import Final

import numpy as np

from recsys.data.synthetic.events import Day
from recsys.data.synthetic.utility import Utility

ORACLE_ROWS: Final = 4096
"""Clicks of a day that the oracle is measured on."""

_CHUNK = 512


def oracle_ranks(utility: Utility, day: Day, seed: int, intent: bool = True) -> np.ndarray:
    """Ranks clicked products by utility.

    Args:
        utility: The shoppers' preferences.
        day: The day whose clicks are ranked; `ORACLE_ROWS` of them are drawn.
        seed: Of the draw.
        intent: Whether the oracle also knows what the session is about.

    Returns:
        int64 [rows], 1 + the number of products of the whole catalogue with a higher utility.
    """
    clicks = len(day.clicked)
    draw = np.random.default_rng([seed, 5])
    rows = draw.permutation(clicks)[:ORACLE_ROWS]
    ranks = np.empty(len(rows), dtype=np.int64)
    for begin in range(0, len(rows), _CHUNK):
        part = rows[begin : begin + _CHUNK]
        situation = day.situation.take(part)
        scores = utility.catalogue(situation if intent else situation.without_intent())
        own = np.take_along_axis(scores, day.clicked[part, None], axis=1)
        ranks[begin : begin + len(part)] = 1 + (scores > own).sum(axis=1)
    return ranks


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
