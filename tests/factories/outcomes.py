"""Rows of an evaluation that never was, good unless told otherwise."""

from __future__ import annotations

import numpy as np

from recsys.models.outcomes import Outcomes


def make_outcomes(
    *,
    rows: int = 4_000,
    users: int = 800,
    items: int = 200,
    first_row: int = 0,
    missed: float = 0.0,
    lower: int = 0,
    noise: float = 0.0,
    overconfident: float = 1.0,
    unshown: float = 0.0,
    dead: float = 0.0,
) -> Outcomes:
    """Outcomes of a release: nine clicks in ten are retrieved, and ranked a little better than retrieved.

    Args:
        rows: How many; the same rows have the same difficulty in each release.
        users: How many they belong to.
        items: Size of the catalogue.
        first_row: Key of the first row.
        missed: Share of the rows that are missed besides, of those beyond rank 10.
        lower: Ranks that each click is lower in the final order.
        noise: Standard deviation of what is added to the ranker's scores, whose own is 1.
        overconfident: Factor on the log odds that the ranker states.
        unshown: Share of the items that nobody is shown.
        dead: Share of the items that nothing retrieves.
    """
    rng = np.random.default_rng(7)
    rank = rng.geometric(0.05, rows)
    gone = (rng.random(rows) < 0.1) | ((rank > 10) & (rng.random(rows) < missed))
    user = rng.integers(users, size=rows)
    logit = rng.normal(size=rows)
    label = (rng.random(rows) < 1 / (1 + np.exp(-2 * logit))).astype(int)
    noisy = logit + noise * rng.normal(size=rows)
    number = np.arange(items)
    chain = np.maximum(rank - 1, 1) + lower
    key = first_row + np.arange(rows)
    return Outcomes.of(
        {"device": (rng.integers(0, 2, rows), ("mobile", "desktop"))},
        row=key,
        user=user,
        chain_rank=np.where(gone, 0, chain),
        retrieval_rank=np.where(gone, 0, rank),
        pair_row=key,
        pair_user=user,
        pair_label=label,
        pair_score=1 / (1 + np.exp(-noisy)),
        pair_probability=1 / (1 + np.exp(-2 * overconfident * logit)),
        item_id=number * 10,
        retrieved=np.where(number < dead * items, 0, 50),
        shown=np.where(number < unshown * items, 0, 20),
    )
