from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.release.gate import judge
from recsys.settings import GateSettings

GOOD: dict[str, Any] = {
    "retrieval": {"hit@300": 0.93, "ndcg@10": 0.20},
    "chain": {"hit@10": 0.45, "ndcg@10": 0.30},
    "ranker": {"auc": 0.8},
    "baselines": {"popularity": {"hit@10": 0.08}},
}


def _with(path: str, value: Any) -> dict[str, Any]:
    metrics = copy.deepcopy(GOOD)
    *groups, last = path.split(".")
    inner = metrics
    for group in groups:
        inner = inner[group]
    inner[last] = value
    return metrics


def test_good_metrics_pass_without_a_reason() -> None:
    verdict = judge(GOOD, GateSettings())
    assert (verdict.passed, verdict.reason) == (True, "")


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("retrieval.hit@300", 0.2, "retrieval.hit@300 0.2000, at least 0.3000"),
        ("ranker.auc", 0.5, "ranker.auc 0.5000, at least 0.5500"),
        ("ranker.auc", math.nan, "ranker.auc is missing"),
        ("ranker.auc", None, "ranker.auc is missing"),
        ("ranker", {}, "ranker.auc is missing"),
        ("ranker", 3, "ranker.auc is missing"),
        ("baselines.popularity", {}, "baselines.popularity.hit@10 is missing"),
        (
            "chain.hit@10",
            0.05,
            "chain.hit@10 0.0500, at least 0.0720 (0.9 of baselines.popularity.hit@10)",
        ),
        ("chain.ndcg@10", 0.17, "chain.ndcg@10 0.1700, at least 0.1800 (0.9 of retrieval.ndcg@10)"),
    ],
)
def test_each_failure_has_its_line(path: str, value: Any, reason: str) -> None:
    verdict = judge(_with(path, value), GateSettings())
    assert (verdict.passed, verdict.reason) == (False, reason)


def test_every_failure_is_named_in_one_line() -> None:
    reason = judge({}, GateSettings()).reason
    assert reason.count("is missing") == 4
    assert "\n" not in reason


@given(value=st.floats(0, 1), floor=st.floats(0, 1))
def test_floor_itself_passes_and_less_does_not(value: float, floor: float) -> None:
    verdict = judge(_with("ranker.auc", value), GateSettings(ranker_auc=floor))
    assert verdict.passed == (value >= floor)
