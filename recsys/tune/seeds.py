"""The recipe with several seeds: what is luck, and what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from scipy.stats import t as student

from recsys.settings import Settings
from recsys.tune.overrides import changed
from recsys.tune.progress import Progress, named, silent
from recsys.tune.runs import Bench

HEADLINE: Final = (
    "retrieval.hit@300",
    "retrieval.hit@10",
    "chain.hit@10",
    "chain.ndcg@10",
    "unseen.chain.hit@10",
    "anonymous.chain.hit@10",
    "visitors.1 click.chain.hit@10",
    "visitors.2 clicks.chain.hit@10",
    "visitors.3 clicks.chain.hit@10",
    "ranker.auc",
)
_LEVEL: Final = 0.95


def over_seeds(
    bench: Bench,
    settings: Settings,
    seeds: Sequence[int],
    progress: Progress = silent,
) -> dict[str, Any]:
    """Trains and measures with each seed.

    Args:
        bench: Where runs are made and kept.
        settings: The recipe.
        seeds: Of the training; the rows that are measured are the same.
        progress: Told what is being done, and which share of it is.

    Returns:
        {"seeds": [int], "rows": int, "headline": {path: {"mean", "interval", "values"}}, "baselines": {name:
        {metric: value}}, "seconds": [float]}. The interval is Student's, for another seed's mean; NaN with
        one seed. What the choice of the test rows adds is in each run's own intervals. Baselines do not know
        the seed and are measured beside the first run.
    """
    runs = []
    for number, seed in enumerate(seeds):
        told = named(progress, f"seed {seed}", number / len(seeds))
        own = bench if number == 0 else replace(bench, baselines="popularity")
        runs.append(own.run(changed(settings, {"training.seed": seed}), told))
    documents = [run.document for run in runs]
    return {
        "seeds": list(seeds),
        "rows": documents[0]["rows"],
        "headline": {path: summary([value(one, path) for one in documents]) for path in HEADLINE},
        "baselines": documents[0]["baselines"],
        "seconds": [sum(one["seconds"].values()) for one in documents],
    }


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean and 95 % interval of some runs' values: mean ± t s / sqrt(n), Student, 1908.

    Returns:
        {"mean", "interval": [low, high], "values"}; no interval, NaN, with fewer than two.
    """
    found = np.asarray(values, np.float64)
    reach = float("nan")
    if len(found) > 1:
        deviation = float(found.std(ddof=1) / np.sqrt(len(found)))
        reach = float(student.ppf((1 + _LEVEL) / 2, len(found) - 1)) * deviation
    mean = float(found.mean())
    return {"mean": mean, "interval": [mean - reach, mean + reach], "values": found.tolist()}


def value(document: Mapping[str, Any], path: str) -> float:
    """The number at a dotted path; NaN where there is none."""
    found: Any = document
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) else float("nan")
