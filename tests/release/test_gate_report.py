from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from factories.outcomes import make_outcomes

from recsys.release.gate_check import Evidence
from recsys.release.gate_page import gate_page
from recsys.release.gate_report import gate_report, unmeasured
from recsys.settings import GateSettings

SETTINGS = GateSettings(resamples=100)
METRICS = {"baselines": {"popularity": {"hit@10": 0.1}}}


def _evidence(**worse: Any) -> Evidence:
    rounds = np.full(20, 1_100.0)
    return Evidence(
        METRICS, make_outcomes(**worse), {"query_tower": rounds / 10, "dlrm": rounds}, {"dlrm": 2e-7}
    )


@pytest.fixture(scope="module")
def passed() -> dict[str, Any]:
    return gate_report(_evidence(), SETTINGS, _evidence(), 3)


@pytest.fixture(scope="module")
def refused() -> dict[str, Any]:
    return gate_report(_evidence(lower=3), SETTINGS, _evidence(), 3)


def test_report_is_json_and_says_what_was_judged(passed: dict[str, Any]) -> None:
    assert json.loads(json.dumps(passed, allow_nan=False)) == passed
    assert (passed["passed"], passed["reason"], passed["parent"], passed["rows"]) == (True, "", 3, 4_000)
    metrics = [check["metric"] for check in passed["checks"]]
    assert len(metrics) == len(set(metrics)) == 15
    assert passed["latency"]["dlrm"] == {"us": 1_100.0, "parent_us": 1_100.0}
    assert set(passed["hits"]) == {"chain", "retrieval", "parent's chain"}
    assert passed["hits"]["chain"][-1][1] == pytest.approx(0.9, abs=0.02)


def test_segments_stand_beside_the_parents_on_the_same_rows(refused: dict[str, Any]) -> None:
    names = [one["segment"] for one in refused["segments"]]
    assert names == ["device: mobile", "device: desktop"]
    assert sum(one["rows"] for one in refused["segments"]) == 4_000
    assert all(one["ndcg@10"] < one["parent"] for one in refused["segments"])


def test_missing_numbers_are_null(passed: dict[str, Any]) -> None:
    alone = gate_report(Evidence({}), SETTINGS)
    assert json.loads(json.dumps(alone, allow_nan=False)) == alone
    assert alone["checks"][0]["value"] is None
    assert not alone["checks"][0]["passed"]
    assert set(unmeasured(passed=False, reason="cut off")) - {"note"} == set(passed) - {"confidence"}


class _Structure(HTMLParser):
    """Tags that were opened and never closed, and everything that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attributes if name in ("src", "href", "xlink:href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Closed as it is opened."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_whole_and_needs_nothing_else(refused: dict[str, Any]) -> None:
    page = gate_page(refused)
    structure = _Structure()
    structure.feed(page)
    assert structure.open == structure.fetched == []
    assert "script" not in page
    assert "url(" not in page


def test_page_says_why_and_draws_every_check(refused: dict[str, Any], passed: dict[str, Any]) -> None:
    page = gate_page(refused)
    assert "Refused: chain.ndcg@10 / " in page
    assert page.count("<tr class=fail>") == sum(not check["passed"] for check in refused["checks"])
    assert len(re.findall("<svg", page)) == len(refused["checks"]) + 2
    assert "compared with release 3" in page
    assert "Passed" in gate_page(passed)


def test_page_of_a_release_that_does_not_run() -> None:
    page = gate_page(unmeasured(passed=False, reason="dlrm.onnx: <cannot> be loaded"))
    assert "dlrm.onnx: &lt;cannot&gt; be loaded" in page
    assert "<svg" not in page


def test_page_of_a_release_with_the_models_of_another() -> None:
    page = gate_page(unmeasured(passed=True, reason="", parent=1, note="models of release 1"))
    assert "Not measured: models of release 1." in page
    assert "Passed" in page
