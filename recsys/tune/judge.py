"""Settings that a search found against the recipe, on the days that the search did not see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from recsys.errors import BadUse
from recsys.settings import Settings
from recsys.tune.overrides import changed
from recsys.tune.progress import Progress, silent
from recsys.tune.runs import Bench
from recsys.tune.seeds import HEADLINE, over_seeds, summary

DECIDES: Final = "chain.ndcg@10"
_FEWEST: Final = 2


def judge(
    bench: Bench,
    settings: Settings,
    found: Mapping[str, Any],
    seeds: Sequence[int],
    progress: Progress = silent,
) -> dict[str, Any]:
    """Trains both on all training days with each seed and measures them on the days after.

    The best of many trials is partly the luckiest: on days that chose nothing it is worth what it is worth.

    Args:
        bench: Where runs are made and kept; what `recsys evaluate seeds` made there is used.
        settings: The recipe.
        found: Other values by dotted name.
        seeds: At least two: one training tells nothing of what another seed would change.
        progress: Told what is being done, and which share of it is.

    Returns:
        {"seeds", "rows", "recipe" and "found": {path: mean}, "difference": {path: {"mean", "interval",
        "values"}}, "better": bool}. Differences are the found settings' less the recipe's with the same seed;
        the interval is Student's, for another seed. Better: that of NDCG@10 lies above 0.

    Raises:
        BadUse: There are fewer than two seeds.
    """
    if len(seeds) < _FEWEST:
        raise BadUse("judge", f"{len(seeds)} seed tells nothing of luck", f"Give at least {_FEWEST}")
    tried = {"recipe": settings, "found": changed(settings, found)}
    results = {
        name: over_seeds(bench, own, seeds, partial(_told, progress, name, number / len(tried)))
        for number, (name, own) in enumerate(tried.items())
    }
    headline = {name: result["headline"] for name, result in results.items()}
    difference = {
        path: summary(
            [
                mine - recipes
                for mine, recipes in zip(
                    headline["found"][path]["values"], headline["recipe"][path]["values"], strict=True
                )
            ]
        )
        for path in HEADLINE
    }
    return {
        "seeds": list(seeds),
        "rows": results["recipe"]["rows"],
        **{name: {path: one["mean"] for path, one in found.items()} for name, found in headline.items()},
        "difference": difference,
        "better": difference[DECIDES]["interval"][0] > 0,
    }


def _told(progress: Progress, name: str, begun: float, text: str, share: float | None) -> None:
    progress(f"{name}, {text}", None if share is None else begun + share / 2)
