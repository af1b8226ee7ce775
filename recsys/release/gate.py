"""The gate: what a release must reach before it may be served."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from recsys.release.bootstrap import Draws, Interval
from recsys.release.gate_check import Check, Evidence
from recsys.release.gate_rows import Rows
from recsys.release.manifest import Verdict
from recsys.settings import GateSettings


def judge(
    metrics: Mapping[str, Any] | Evidence, settings: GateSettings, parent: Evidence | None = None
) -> Verdict:
    """Passes a release or says in one line what stands against it.

    Args:
        metrics: All that is known about the release, or its evaluation alone.
        settings: The limits. A metric that is missing or not a number fails its check.
        parent: The same of the release that it would replace, measured on the same rows and in the same
            rounds; None for the first release.
    """
    return verdict(checks(metrics, settings, parent))


def verdict(found: tuple[Check, ...]) -> Verdict:
    """Passed if every check did; else the first that failed, and how many more did, in one line."""
    failed = [str(check) for check in found if not check.passed]
    more = len(failed) - 1
    others = f"; {more} more {'check' if more == 1 else 'checks'} failed" if more > 0 else ""
    return Verdict(passed=not failed, reason=failed[0] + others if failed else "")


def checks(
    metrics: Mapping[str, Any] | Evidence, settings: GateSettings, parent: Evidence | None = None
) -> tuple[Check, ...]:
    """Every check of the settings, in the order in which a refusal names them; see `judge`."""
    own = metrics if isinstance(metrics, Evidence) else Evidence(metrics)
    draws = Draws(settings.resamples, settings.confidence, settings.seed)
    found = [*_exports(own, settings), *_floors(own, settings, draws)]
    if parent is not None:
        found += [*_losses(own, parent, settings, draws), *_slowdown(own, parent, settings, draws)]
    return tuple(found)


_KEPT: Final = {
    "retrieval.hit@300": "kept_retrieval",
    "chain.ndcg@10": "kept_chain",
    "ranker.auc": "kept_auc",
    "chain.coverage@10": "kept_coverage",
    "retrieval.alive": "kept_alive",
}
"""Which setting says what share of the parent's value a release must keep."""


def _floors(own: Evidence, settings: GateSettings, draws: Draws) -> list[Check]:
    """Limits that a release meets alone."""
    found = [
        Check("retrieval.hit@300", _value(own, "retrieval.hit@300", draws), settings.retrieval_hit),
        Check("ranker.auc", _value(own, "ranker.auc", draws), settings.ranker_auc),
        _beside_popularity(own, settings, draws),
        Check(
            "chain.ndcg@10 / retrieval.ndcg@10",
            _share(own, "chain.ndcg@10", "retrieval.ndcg@10", draws),
            settings.over_retrieval,
        ),
    ]
    if own.outcomes is not None:
        rows = Rows(own.outcomes)
        found += [
            Check("chain.coverage@10", rows.interval("chain.coverage@10", draws), settings.coverage),
            Check("retrieval.alive", rows.interval("retrieval.alive", draws), settings.alive),
            Check(
                "ranker.ece", rows.interval("ranker.ece", draws), settings.calibration_error, at_least=False
            ),
        ]
    return found


def _losses(own: Evidence, parent: Evidence, settings: GateSettings, draws: Draws) -> list[Check]:
    """What a release may lose against its parent."""
    both = own.outcomes is not None and parent.outcomes is not None
    rows = Rows(own.outcomes, parent.outcomes) if own.outcomes is not None and both else None
    found = []
    for metric, setting in _KEPT.items():
        if rows is not None:
            ratio = rows.against_parent(metric, draws)
        elif metric in ("retrieval.alive", "chain.coverage@10"):
            continue  # not in every evaluation, and no comparison without rows
        else:
            ratio = Interval.point(_ratio(own.value(metric), parent.value(metric)))
        found.append(Check(f"{metric} / parent", ratio, getattr(settings, setting)))
    if rows is not None:
        worse = rows.against_parent("ranker.ece", draws, difference=True)
        found.append(Check("ranker.ece - parent", worse, settings.calibration_loss, at_least=False))
    return found


def _slowdown(own: Evidence, parent: Evidence, settings: GateSettings, draws: Draws) -> list[Check]:
    """How much longer a request's models take than the parent's, together."""
    if own.latency is None or parent.latency is None:
        return []
    total, before = (_total(one.latency) for one in (own, parent))
    ratio = draws.of_ratios(total, before)
    return [Check("latency / parent", ratio, settings.latency, at_least=False)]


def _exports(own: Evidence, settings: GateSettings) -> list[Check]:
    """Whether what is served computes what was trained."""
    return [
        Check(f"parity.{model}", Interval.point(far), settings.parity, at_least=False)
        for model, far in (own.parity or {}).items()
    ]


def _beside_popularity(own: Evidence, settings: GateSettings, draws: Draws) -> Check:
    """The chain against the popularity baseline, of which only the mean is known."""
    reference = own.value("baselines.popularity.hit@10")
    name = "chain.hit@10 / baselines.popularity.hit@10"
    found = _value(own, "chain.hit@10", draws)
    shares = (_ratio(number, reference) for number in (found.value, found.low, found.high))
    return Check(name, Interval(*shares), settings.over_popularity)


def _value(own: Evidence, metric: str, draws: Draws) -> Interval:
    """With its interval where there are rows."""
    if own.outcomes is None:
        return Interval.point(own.value(metric))
    return Rows(own.outcomes).interval(metric, draws)


def _share(own: Evidence, metric: str, of: str, draws: Draws) -> Interval:
    if own.outcomes is None:
        return Interval.point(_ratio(own.value(metric), own.value(of)))
    return Rows(own.outcomes).share(metric, of, draws)


def _total(latency: Mapping[str, np.ndarray] | None) -> np.ndarray:
    total: np.ndarray = np.sum(list((latency or {}).values()), axis=0)
    return total


def _ratio(above: float, below: float) -> float:
    """Not below anything that is nothing: what was never reached cannot be lost."""
    if below == 0 and not math.isnan(above):
        return math.inf
    return above / below
