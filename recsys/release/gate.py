"""The gate: which metrics a release must reach before it may be served."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recsys.release.manifest import Verdict
from recsys.settings import GateSettings


@dataclass(frozen=True)
class Rule:
    """A metric and the least value it may have.

    Attributes:
        metric: Dotted path into the evaluation, such as `ranker.auc`.
        least: The floor; with `of`, a share of that metric.
        of: Dotted path of the metric the floor is a share of; None for an absolute floor.
    """

    metric: str
    least: float
    of: str | None = None


@dataclass(frozen=True)
class Check:
    """A rule with the numbers it met; `floor` is NaN where the compared metric is missing."""

    rule: Rule
    value: float
    floor: float

    @property
    def passed(self) -> bool:
        """Whether the value is a number and not below the floor."""
        return self.value >= self.floor  # False for NaN on either side

    def __str__(self) -> str:
        if math.isnan(self.value):
            return f"{self.rule.metric} is missing"
        if math.isnan(self.floor):
            return f"{self.rule.of} is missing"
        against = f" ({self.rule.least:g} of {self.rule.of})" if self.rule.of else ""
        return f"{self.rule.metric} {self.value:.4f}, at least {self.floor:.4f}{against}"


def rules(settings: GateSettings) -> tuple[Rule, ...]:
    """The rules of the settings, in the order in which a refusal names them."""
    return (
        Rule("retrieval.hit@300", settings.retrieval_hit),
        Rule("ranker.auc", settings.ranker_auc),
        Rule("chain.hit@10", settings.over_popularity, of="baselines.popularity.hit@10"),
        Rule("chain.ndcg@10", settings.over_retrieval, of="retrieval.ndcg@10"),
    )


def checks(metrics: Mapping[str, Any], settings: GateSettings) -> tuple[Check, ...]:
    """Every rule with the values that the evaluation holds for it."""
    return tuple(_check(rule, metrics) for rule in rules(settings))


def judge(metrics: Mapping[str, Any], settings: GateSettings) -> Verdict:
    """Passes a release or says in one line what stands against it.

    Args:
        metrics: The evaluation, as `recsys evaluate --json` prints it.
        settings: The floors. A metric that is missing or not a number fails its rule.
    """
    failed = [str(check) for check in checks(metrics, settings) if not check.passed]
    return Verdict(passed=not failed, reason="; ".join(failed))


def _check(rule: Rule, metrics: Mapping[str, Any]) -> Check:
    reference = 1.0 if rule.of is None else _value(metrics, rule.of)
    return Check(rule, _value(metrics, rule.metric), rule.least * reference)


def _value(metrics: Mapping[str, Any], path: str) -> float:
    """The number at a dotted path, NaN if there is none."""
    found: Any = metrics
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) else math.nan
