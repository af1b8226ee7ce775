"""What other orders of the ranked candidates gain and cost: MMR, DPP, category caps, exploration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from recsys.data.dataset import Dataset
from recsys.index import Index
from recsys.models import bias, metrics
from recsys.models.pools import Pools, draw
from recsys.models.trial_log import estimates
from recsys.serving.caps import capped
from recsys.serving.diversity import ItemVectors, mmr, unit_vectors
from recsys.serving.dpp import dpp
from recsys.serving.exploration import explore
from recsys.serving.relevance import chances
from recsys.settings import Settings

Progress = Callable[[str, float | None], None]
Columns = Callable[[Pools, np.ndarray, int], np.ndarray]
"""Some rows' pools, their items' vectors [B, K, D] and the number of the batch -> columns [B, 10]."""

_SHOWN: Final = 10
_AT_ONCE: Final = 250
_ROWS: Final = 4_000
_WEIGHTS: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
_CAPS: Final = (10, 5, 3, 2, 1)
_TEMPERATURES: Final = (0.001, 0.003, 0.005, 0.01, 0.03, 0.1)
_ITEMS_AT_ONCE: Final = 4_096


@dataclass(frozen=True)
class _Way:
    """One way to order.

    Attributes:
        name: Of its curve.
        setting: Where on the curve.
        vectors: What items are like for it.
        choose: The columns that it shows.
    """

    name: str
    setting: float
    vectors: np.ndarray
    choose: Columns


def measure(
    release_dir: Path,
    dataset: Dataset,
    settings: Settings,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Orders the best ranked candidates of test rows in many ways.

    Args:
        release_dir: A release's artefacts.
        dataset: Trained on its training days.
        settings: Sample sizes and the widths of serving.
        progress: Told what is being done, and which share of it is.

    Returns:
        {"rows": int, "curves": {name: [{"setting", "ndcg@10", "hit@10", "diversity", "categories",
        "coverage", "gini"}]}, "off_policy": see `recsys.models.trial_log.estimates`}. Diversity is the mean
        of 1 - cosine over the pairs of a list, the cosine being that of image and text and that of the
        learned embedding in equal parts; categories are the distinct category_l1 in a list.
    """
    pools = draw(release_dir, dataset, settings, min(_ROWS, settings.evaluation.rows), progress)
    content = _content(release_dir, len(pools.item_ids))
    everything = unit_vectors(content, learned(release_dir, len(pools.item_ids)))
    curves: dict[str, list[dict[str, float]]] = {}
    ways = list(_ways(content, everything))
    for number, way in enumerate(ways):
        progress(way.name, number / len(ways))
        shown = _shown(way, pools)
        curves.setdefault(way.name, []).append({"setting": way.setting, **_quality(shown, pools, everything)})
    return {"rows": len(pools.item), "curves": curves, "off_policy": estimates(pools)}


def learned(release_dir: Path, items: int) -> np.ndarray:
    """The candidate tower's embedding of every item, as the index keeps it, float32 [items, 64]."""
    index = Index.load(release_dir)
    axes = np.eye(index.meta.width, dtype=np.float32)
    parts = []
    for at in range(0, items, _ITEMS_AT_ONCE):
        some = np.arange(at, min(at + _ITEMS_AT_ONCE, items))
        parts.append(index.inner_products(axes, np.tile(some, (len(axes), 1))).T)
    return np.concatenate(parts)


def difference(vectors: np.ndarray) -> np.ndarray:
    """Mean of 1 - cosine over the pairs of each list.

    Args:
        vectors: Of length one or zero, [lists, K, D], K at least 2.

    Returns:
        float64 [lists].
    """
    count = vectors.shape[1]
    total = vectors.sum(axis=1, dtype=np.float64)
    own = np.einsum("bkd,bkd->b", vectors, vectors, dtype=np.float64)
    pairs = (np.einsum("bd,bd->b", total, total) - own) / (count * (count - 1))
    found: np.ndarray = 1 - pairs
    return found


def _ways(content: np.ndarray, everything: np.ndarray) -> Iterator[_Way]:
    for weight in _WEIGHTS:
        yield _Way("MMR, image and text", weight, content, _by_mmr(weight))
    for weight in _WEIGHTS:
        yield _Way("MMR, learned too", weight, everything, _by_mmr(weight))
    for weight in _WEIGHTS:
        yield _Way("MMR of the bare scores", weight, everything, _by_scores(weight))
    for weight in _WEIGHTS:
        yield _Way("DPP, learned too", weight, everything, _by_dpp(weight))
    for most in _CAPS:
        yield _Way("most of a category", most, everything, _by_cap(most))
    for temperature in _TEMPERATURES:
        yield _Way("exploration, temperature", temperature, everything, _by_draw(temperature))
    for temperature in _TEMPERATURES:
        yield _Way("weighted, as served", temperature, everything, _by_served_draw(temperature))


def _by_mmr(weight: float) -> Columns:
    return lambda pools, vectors, _: mmr(
        chances(pools.scores), vectors, _SHOWN, np.full(len(vectors), weight)
    )


def _by_scores(weight: float) -> Columns:
    return lambda pools, vectors, _: mmr(pools.scores, vectors, _SHOWN, np.full(len(vectors), weight))


def _by_dpp(weight: float) -> Columns:
    return lambda pools, vectors, _: dpp(
        chances(pools.scores), vectors, _SHOWN, np.full(len(vectors), weight)
    )


def _by_cap(most: int) -> Columns:
    return lambda pools, vectors, _: capped(pools.scores, pools.category, _SHOWN, most)


def _by_draw(temperature: float) -> Columns:
    def choose(pools: Pools, vectors: np.ndarray, batch: int) -> np.ndarray:
        uniform = np.random.default_rng([0, batch]).random(pools.scores.shape)
        return explore(pools.scores, _SHOWN, temperature, uniform)[0]

    return choose


def _by_served_draw(temperature: float) -> Columns:
    """The same draws in the order of their scores, as the served stage answers."""
    draw = _by_draw(temperature)
    return lambda pools, vectors, batch: np.sort(draw(pools, vectors, batch), axis=1)  # best first in a pool


def _shown(way: _Way, pools: Pools) -> np.ndarray:
    """Item indexes [rows, 10]; -1 where the pool has fewer."""
    parts = []
    for batch, at in enumerate(range(0, len(pools.item), _AT_ONCE)):
        part = pools.take(slice(at, at + _AT_ONCE))
        vectors = np.where((part.items >= 0)[:, :, None], way.vectors[part.items], np.float32(0))
        columns = way.choose(part, vectors, batch)
        parts.append(np.take_along_axis(part.items, columns, axis=1))
    return np.concatenate(parts)


def _quality(shown: np.ndarray, pools: Pools, vectors: np.ndarray) -> dict[str, float]:
    rank = metrics.positions(shown, pools.item)
    full = shown[(shown >= 0).all(axis=1)]
    category = np.sort(pools.categories[full], axis=1)
    exposure = bias.exposure(shown, np.zeros(len(pools.item_ids)))
    return {
        "ndcg@10": metrics.ndcg(rank, _SHOWN),
        "hit@10": metrics.hit(rank, _SHOWN),
        "diversity": float(difference(vectors[full]).mean()) if len(full) else float("nan"),
        "categories": float((np.diff(category, axis=1) > 0).sum(axis=1).mean() + 1) if len(full) else 0.0,
        "coverage": exposure["coverage"],
        "gini": exposure["gini"],
    }


def _content(release_dir: Path, items: int) -> np.ndarray:
    """What items are like by image and text, as serving compares them; float32 [items, 128]."""
    found: np.ndarray = ItemVectors(release_dir).of(np.arange(items)[None, :])[0]
    return found
