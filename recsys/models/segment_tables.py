"""The headline metrics of each segment, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from recsys.models import intervals, metrics
from recsys.models.segments import Segmentation

_SHOWN: Final = (("chain", "hit@10"), ("chain", "ndcg@10"), ("retrieval", "hit@300"))
"""What is told with its interval."""

_OWN: Final = ("chain", "retrieval")


def tables(
    segmentations: Mapping[str, Segmentation], users: np.ndarray, ranks: Mapping[str, np.ndarray]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Measures each segment.

    Args:
        segmentations: Which segment each row is in, by name.
        users: Who each row belongs to, [rows].
        ranks: Rank of each row's click, int64 [rows]: "chain", "retrieval" and the baselines'.

    Returns:
        {name: {segment: {"rows": int, "users": int, "chain": summary, "retrieval": summary, "interval":
        {"chain": {"hit@10": [low, high], …}, …}, "baselines": {name: summary}}}}; segments without rows are
        left out.
    """
    masks = {
        (name, label): mask
        for name, segmentation in segmentations.items()
        for label, mask in segmentation.rows().items()
    }
    ends = _intervals(masks, users, ranks)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (name, label), mask in masks.items():
        found.setdefault(name, {})[label] = {
            "rows": int(mask.sum()),
            "users": len(np.unique(users[mask])),
            **{own: metrics.summary(ranks[own][mask]) for own in _OWN},
            "interval": ends[name, label],
            "baselines": {
                other: metrics.summary(rank[mask]) for other, rank in ranks.items() if other not in _OWN
            },
        }
    return found


def _intervals(
    masks: Mapping[tuple[str, str], np.ndarray], users: np.ndarray, ranks: Mapping[str, np.ndarray]
) -> dict[tuple[str, str], dict[str, dict[str, list[float]]]]:
    if not masks:
        return {}
    gains = [metrics.gains(ranks[own])[metric] for own, metric in _SHOWN]
    values = np.stack([gain for _ in masks for gain in gains], axis=1)
    counted = np.stack([mask for mask in masks.values() for _ in gains], axis=1)
    low, high = intervals.of_means(values, users, counted)
    found: dict[tuple[str, str], dict[str, dict[str, list[float]]]] = {}
    for at, key in enumerate(masks):
        own: dict[str, dict[str, list[float]]] = {}
        for place, (part, metric) in enumerate(_SHOWN, start=at * len(_SHOWN)):
            own.setdefault(part, {})[metric] = [float(low[place]), float(high[place])]
        found[key] = own
    return found
