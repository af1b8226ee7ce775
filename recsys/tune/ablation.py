"""What each part of the recipe brings: the recipe without it, on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from recsys.errors import BadUse
from recsys.models import intervals, metrics
from recsys.models.outcomes import Outcomes
from recsys.settings import Settings
from recsys.tune.overrides import changed
from recsys.tune.progress import Progress, named, silent
from recsys.tune.runs import Bench, Run
from recsys.tune.seeds import value

RECIPE: Final = "recipe"
WITHOUT: Final[dict[str, dict[str, Any]]] = {
    "static query tower": {"training.retrieval.query_tower": "static"},
    "context query tower": {"training.retrieval.query_tower": "context"},
    "session query tower": {"training.retrieval.query_tower": "session"},
    "no vectors from clicks": {"training.retrieval.clicks": 0},
    "in-batch negatives alone": {
        "training.retrieval.whole_catalogue": 1,
        "training.retrieval.uniform_negatives": 1,
    },
    "in-batch negatives without logQ correction": {
        "training.retrieval.whole_catalogue": 1,
        "training.retrieval.uniform_negatives": 1,
        "training.retrieval.log_q": False,
    },
    "mixed negatives": {"training.retrieval.whole_catalogue": 1},
    "no dropout": {"training.retrieval.dropout": 0.0},
    "one epoch": {"training.retrieval.epochs": 1, "training.retrieval.least_steps": 1},
    "no cold-start masking": {"training.mask_user_share": 0.0, "training.mask_device_share": 0.0},
    "session tower: no hidden clicks": {"training.retrieval.session_forget": 0.0},
    "ranker: nothing of the newest clicks": {"training.ranking.intent": 0},
    "ranker: no cart and purchase heads": {"training.ranking.head_loss": 0.0},
    "ranker: told how popular items are right now": {"training.ranking.popularity": True},
    "ranker: DCN-v2": {"training.ranking.model": "dcn-v2"},
    "ranker: popular and random negatives": {
        "training.ranking.retrieved_share": 0.0,
        "training.ranking.popular_share": 0.5,
    },
}
"""The recipe's parts, each taken out or exchanged."""

_PATHS: Final = ("retrieval.hit@300", "chain.hit@10", "chain.ndcg@10", "anonymous.chain.hit@10", "ranker.auc")


def ablate(
    bench: Bench,
    settings: Settings,
    names: str = "",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Trains and measures the recipe, and the recipe without each part.

    Args:
        bench: Where runs are made and kept.
        settings: The recipe.
        names: Some of `WITHOUT` with commas between; empty for all that change something.
        progress: Told what is being done, and which share of it is.

    Returns:
        {"rows", "variants": {name: {path: number, "difference": {"chain.hit@10": {"mean", "interval"},
        "chain.ndcg@10", "retrieval.hit@300"}}}}; differences from the recipe, paired by row, intervals 95 %
        over users; the recipe itself comes first.

    Raises:
        BadUse: There is no such variant.
    """
    chosen = {RECIPE: settings} | {
        name: own for name in _names(names) if (own := changed(settings, WITHOUT[name])) != settings
    }
    found: dict[str, dict[str, Any]] = {}
    first: Run | None = None
    for number, (name, own) in enumerate(chosen.items()):
        run = bench.run(own, named(progress, name, number / len(chosen)))
        first = first or run
        found[name] = {path: value(run.document, path) for path in _PATHS}
        found[name]["difference"] = difference(run.outcomes, first.outcomes) if run is not first else {}
    return {"rows": first.document["rows"] if first else 0, "variants": found}


def difference(one: Outcomes, other: Outcomes) -> dict[str, dict[str, Any]]:
    """How much better `one` is than `other`, on the rows that both were measured on.

    Returns:
        {"chain.hit@10" | "chain.ndcg@10" | "retrieval.hit@300": {"mean", "interval"}}.
    """
    _, mine, theirs = np.intersect1d(one["row"], other["row"], return_indices=True)
    columns = {}
    for part, metric in (("chain", "hit@10"), ("chain", "ndcg@10"), ("retrieval", "hit@300")):
        gains = [
            metrics.gains(_ranks(found[f"{part}_rank"][rows]))[metric]
            for found, rows in ((one, mine), (other, theirs))
        ]
        columns[f"{part}.{metric}"] = gains[0] - gains[1]
    low, high = intervals.of_means(np.stack(list(columns.values()), axis=1), one["user"][mine])
    return {
        name: {"mean": float(column.mean()), "interval": [float(low[at]), float(high[at])]}
        for at, (name, column) in enumerate(columns.items())
    }


def _ranks(kept: np.ndarray) -> np.ndarray:
    """Ranks as metrics have them: outcomes write 0 for what was missed."""
    return np.where(kept == 0, metrics.MISSED, kept.astype(np.int64))


def _names(text: str) -> Mapping[str, None]:
    asked = [name.strip() for name in text.split(",") if name.strip()] or list(WITHOUT)
    if unknown := [name for name in asked if name not in WITHOUT]:
        raise BadUse(f"variant {unknown[0]!r}", "there is none", f"Use some of: {', '.join(WITHOUT)}")
    return dict.fromkeys(asked)
