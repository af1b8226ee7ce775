"""What lists show of the catalogue: how much, how evenly, and how much of it is popular anyway."""

from __future__ import annotations

import numpy as np

from recsys.models import metrics
from recsys.models.segments import head_items


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of some counts: 0 all alike, towards 1 the fewer take all.

    G = sum_i (2 i - n - 1) x_i / (n sum_i x_i) over the counts in ascending order, i from 1. Source: Gini,
    "Variabilità e mutabilità", 1912, in the form of Adomavicius and Kwon, "Improving aggregate
    recommendation diversity", 2012.

    Args:
        counts: Non-negative [n].

    Returns:
        0 where nothing was counted.
    """
    ordered = np.sort(counts.astype(np.float64))
    if not ordered.sum():
        return 0.0
    place = np.arange(1, len(ordered) + 1)
    return float((2 * place - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))


def exposure(shown: np.ndarray, clicks: np.ndarray) -> dict[str, float]:
    """What some lists show.

    Args:
        shown: Item indexes, int64 [lists, K]; negative entries are no items.
        clicks: Training clicks of each item, [n].

    Returns:
        `coverage`: share of the catalogue in at least one list; `gini` of the items' showings; `head`:
        share of the showings that are head items (`recsys.models.segments.head_items`); `mean_popularity`:
        mean share of the training clicks of what is shown, times the catalogue's size: 1 is an average item.
    """
    items = len(clicks)
    there = shown[shown >= 0]
    counts = np.bincount(there, minlength=items)
    share = clicks / max(clicks.sum(), 1)
    return {
        "coverage": metrics.coverage(shown, items),
        "gini": gini(counts),
        "head": float(head_items(clicks)[there].mean()) if len(there) else 0.0,
        "mean_popularity": float(share[there].mean() * items) if len(there) else 0.0,
    }
