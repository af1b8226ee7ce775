from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
from factories.outcomes import make_outcomes
from hypothesis import given
from hypothesis import strategies as st

from recsys.models.outcomes import Outcomes
from recsys.release.bootstrap import Draws
from recsys.release.gate import checks, judge
from recsys.release.gate_check import Evidence
from recsys.release.gate_rows import Rows
from recsys.settings import GateSettings

GOOD: dict[str, Any] = {
    "retrieval": {"hit@300": 0.93, "ndcg@10": 0.20},
    "chain": {"hit@10": 0.45, "ndcg@10": 0.30},
    "ranker": {"auc": 0.8},
    "baselines": {"popularity": {"hit@10": 0.08}},
}
SETTINGS = GateSettings(resamples=200)


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
        ("baselines.popularity", {}, "chain.hit@10 / baselines.popularity.hit@10 is missing"),
        ("chain.hit@10", 0.05, "chain.hit@10 / baselines.popularity.hit@10 0.6250, at least 0.9000"),
        ("chain.ndcg@10", 0.17, "chain.ndcg@10 / retrieval.ndcg@10 0.8500, at least 0.9900"),
    ],
)
def test_each_failure_has_its_line(path: str, value: Any, reason: str) -> None:
    verdict = judge(_with(path, value), GateSettings())
    assert (verdict.passed, verdict.reason) == (False, reason)


def test_the_first_failure_is_named_and_the_others_are_counted() -> None:
    assert judge({}, GateSettings()).reason == "retrieval.hit@300 is missing; 3 more checks failed"
    two = _with("ranker.auc", 0.5) | {"retrieval": GOOD["retrieval"] | {"hit@300": 0.2}}
    assert (
        judge(two, GateSettings()).reason == "retrieval.hit@300 0.2000, at least 0.3000; 1 more check failed"
    )


@given(value=st.floats(0, 1), floor=st.floats(0, 1))
def test_floor_itself_passes_and_less_does_not(value: float, floor: float) -> None:
    verdict = judge(_with("ranker.auc", value), GateSettings(ranker_auc=floor))
    assert verdict.passed == (value >= floor)


def test_rows_give_intervals_and_more_to_judge() -> None:
    found = checks(Evidence(GOOD, make_outcomes()), SETTINGS)
    assert all(check.passed for check in found)
    assert {check.metric for check in found} > {"chain.coverage@10", "retrieval.alive", "ranker.ece"}
    narrow = [check.metric for check in found if check.found.low == check.found.high]
    assert narrow == ["chain.coverage@10", "retrieval.alive"]  # every item is in many lists


def test_value_above_a_floor_by_chance_does_not_pass() -> None:
    """The same share of hits passes with 20,000 rows and not with 40."""
    floor = GateSettings(retrieval_hit=0.85, resamples=200)
    few, many = (Evidence(GOOD, make_outcomes(rows=rows, users=rows)) for rows in (40, 20_000))
    assert judge(many, floor).passed
    refused = [check for check in checks(few, floor) if not check.passed]
    assert refused[0].metric == "retrieval.hit@300"
    assert refused[0].found.low < 0.85 < refused[0].found.value


def test_release_as_good_as_its_parent_passes() -> None:
    one = Evidence(GOOD, make_outcomes())
    assert judge(one, SETTINGS, one).passed


@pytest.mark.parametrize(
    ("worse", "metric"),
    [
        ({"missed": 0.1}, "retrieval.hit@300 / parent"),
        ({"lower": 3}, "chain.ndcg@10 / parent"),
        ({"noise": 3.0}, "ranker.auc / parent"),
        ({"overconfident": 4.0}, "ranker.ece - parent"),
        ({"unshown": 0.5}, "chain.coverage@10 / parent"),
        ({"dead": 0.3}, "retrieval.alive / parent"),
    ],
)
def test_each_loss_against_the_parent_is_found(worse: dict[str, Any], metric: str) -> None:
    lenient = GateSettings(resamples=200, over_retrieval=0, calibration_error=1, ranker_auc=0)
    parent = Evidence(GOOD, make_outcomes())
    found = judge(Evidence(GOOD, make_outcomes(**worse)), lenient, parent)
    assert not found.passed
    assert found.reason.startswith(f"{metric} ")
    assert found.reason.count(";") == 0


def test_loss_within_what_is_allowed_passes() -> None:
    parent = Evidence(GOOD, make_outcomes())
    assert judge(Evidence(GOOD, make_outcomes(missed=0.005)), SETTINGS, parent).passed


def test_loss_that_could_be_noise_does_not_pass() -> None:
    """About one row in a hundred more is missed: allowed, but of a few hundred rows it is no evidence."""
    lenient = GateSettings(resamples=200, over_retrieval=0, calibration_error=1)
    before, after = (
        Evidence(GOOD, make_outcomes(rows=300, users=300, missed=missed)) for missed in (0.0, 0.02)
    )
    (refused,) = [check for check in checks(after, lenient, before) if not check.passed]
    assert refused.metric == "retrieval.hit@300 / parent"
    assert refused.found.low < refused.limit < refused.found.value


def test_parent_measured_on_other_rows_is_no_comparison() -> None:
    own, parent = make_outcomes(), make_outcomes(first_row=1_000_000)
    found = checks(Evidence(GOOD, own), SETTINGS, Evidence(GOOD, parent))
    assert "chain.ndcg@10 / parent is missing" in [str(check) for check in found if not check.passed]


def test_parent_without_rows_is_compared_by_its_metrics() -> None:
    parent = Evidence(_with("ranker.auc", 0.9))
    assert judge(GOOD, SETTINGS, parent).reason == "ranker.auc / parent 0.8889, at least 0.9800"


def _timed(microseconds: np.ndarray) -> Evidence:
    return Evidence(GOOD, latency={"query_tower": microseconds * 0.1, "dlrm": microseconds * 0.9})


def test_a_fifth_slower_is_refused_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    machine = 1_000 * (1 + 0.1 * rng.random(60)) * np.repeat([1.0, 1.4, 0.9], 20)  # its speed changes
    before, again, slower = (machine * rng.normal(speed, 0.02, 60) for speed in (1, 1, 1.2))
    assert judge(_timed(again), SETTINGS, _timed(before)).passed
    reason = judge(_timed(slower), SETTINGS, _timed(before)).reason
    assert reason.startswith("latency / parent 1.19")
    assert reason.endswith("at most 1.1500")


@pytest.mark.parametrize(("far", "passed"), [(1e-7, True), (0.02, False), (math.nan, False)])
def test_export_must_compute_what_was_trained(far: float, passed: bool) -> None:
    found = judge(Evidence(GOOD, parity={"dlrm": far}), SETTINGS)
    assert found.passed == passed
    assert passed or found.reason.startswith("parity.dlrm")


def test_negative_that_is_the_clicked_item_stays_a_row_of_its_own() -> None:
    pairs = {
        "pair_row": np.array([5, 9, 5, 9]) * 1_000,
        "pair_user": np.arange(4),
        "pair_label": np.array([1, 1, 0, 0]),
        "pair_score": np.array([0.9, 0.8, 0.8, 0.1]),
    }
    rows = Rows(Outcomes.of(**pairs), Outcomes.of(**pairs))
    assert rows.interval("ranker.ece", Draws(50)).value == pytest.approx(0.3)
    assert rows.against_parent("ranker.ece", Draws(50), difference=True).value == 0
    better = Outcomes.of(**{**pairs, "pair_score": np.array([1.0, 1.0, 0.0, 0.0])})
    worse = Rows(Outcomes.of(**pairs), better).against_parent("ranker.ece", Draws(50), difference=True)
    assert worse.value == pytest.approx(0.3)
