"""The dashboard: what its panels ask for is exported, and what they compute of a trial."""

from __future__ import annotations

import json
import subprocess
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
import yaml
from factories.monitoring import FILES, metrics
from factories.promtool import needs_promtool, promtool
from prometheus_client import generate_latest

from recsys.online.metrics import GatewayMetrics
from recsys.online.trial_metrics import TrialMetrics

GATEWAYS_OWN = ("recsys_gateway_", "recsys_shadow_", "recsys_canary_", "recsys_exposures")

TRIAL = {
    'recsys_shadow_overlap_sum{pod="a"}': "0+42x20",
    'recsys_shadow_overlap_count{pod="a"}': "0+60x20",
    'recsys_shadow_overlap_bucket{pod="a",le="0.6"}': "0+6x20",
    'recsys_shadow_overlap_bucket{pod="a",le="0.7"}': "0+60x20",
    'recsys_shadow_overlap_bucket{pod="a",le="+Inf"}': "0+60x20",
    'recsys_shadow_score_shift_bucket{pod="a",le="-0.1"}': "0+0x20",
    'recsys_shadow_score_shift_bucket{pod="a",le="-0.05"}': "0+60x20",
    'recsys_shadow_score_shift_bucket{pod="a",le="+Inf"}': "0+60x20",
    'recsys_shadow_seconds_bucket{pod="a",release="served",le="0.1"}': "0+60x20",
    'recsys_shadow_seconds_bucket{pod="a",release="served",le="+Inf"}': "0+60x20",
    'recsys_shadow_seconds_bucket{pod="a",release="challenger",le="0.1"}': "0+0x20",
    'recsys_shadow_seconds_bucket{pod="a",release="challenger",le="0.2"}': "0+60x20",
    'recsys_shadow_seconds_bucket{pod="a",release="challenger",le="+Inf"}': "0+60x20",
    'recsys_shadow_copies_total{pod="a",outcome="answered"}': "0+60x20",
    'recsys_shadow_copies_total{pod="a",outcome="dropped"}': "0+6x20",
    'recsys_canary_answers_total{pod="a",outcome="answered"}': "0+27x20",
    'recsys_canary_answers_total{pod="a",outcome="failed"}': "0+3x20",
    'recsys_gateway_requests_total{pod="a",route="/v1/recommendations",status="200"}': "0+300x20",
    'recsys_gateway_requests_total{pod="b",route="/v1/recommendations",status="200"}': "0+300x20",
    'recsys_exposures_total{pod="a"}': "0+120x20",
}
"""A minute's increase of each series."""

COMPUTED = {
    ("Shadow: overlap@10", "A"): {"{}": 0.7},
    ("Shadow: overlap@10", "B"): {"{}": 0.6},
    ("Shadow: score shift", "A"): {"{}": -0.075},
    ("Shadow: score shift", "B"): {"{}": -0.095},
    ("Shadow: score shift", "C"): {"{}": -0.055},
    ("Shadow: latency", "A"): {'{release="served"}': 0.05, '{release="challenger"}': 0.15},
    ("Shadow: latency", "B"): {'{release="served"}': 0.099, '{release="challenger"}': 0.199},
    ("Shadow: copies", "A"): {'{outcome="answered"}': 1.0, '{outcome="dropped"}': 0.1},
    ("Canary: share", "A"): {'{outcome="answered"}': 0.045, '{outcome="failed"}': 0.005},
    ("Canary: answers noted", "A"): {"{}": 2.0},
}


@pytest.fixture(scope="module")
def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FILES / "dashboard.json").read_text())["panels"]
    return found


def _expressions(panels: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """As Grafana would send them."""
    return {
        (panel["title"], target["refId"]): target["expr"]
        .replace("$namespace", "shop")
        .replace("$__rate_interval", "5m")
        for panel in panels
        for target in panel["targets"]
    }


def test_the_gateway_exports_what_panels_ask_it_for(panels: list[dict[str, Any]]) -> None:
    """From its first moment on, before any request; the rest is checked on running servers."""
    gateway = GatewayMetrics()
    TrialMetrics(gateway.registry)
    gateway.requests.labels("/v1/recommendations", "POST", "200")
    gateway.latency.labels("/v1/recommendations")
    gateway.stage.labels("ensemble")
    lines = generate_latest(gateway.registry).decode().splitlines()
    exported = {line.partition("{")[0].partition(" ")[0] for line in lines if not line.startswith("#")}
    asked = {
        (where, name)
        for where, expression in _expressions(panels).items()
        for name in metrics(expression)
        if name.startswith(GATEWAYS_OWN)
    }
    assert {name for _, name in asked} >= {"recsys_shadow_overlap_sum", "recsys_canary_answers_total"}
    assert [(where, name) for where, name in sorted(asked) if name not in exported] == []


def test_panels_have_places_of_their_own(panels: list[dict[str, Any]]) -> None:
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    for one, other in combinations(panels, 2):
        assert not _cells(one) & _cells(other), (one["title"], other["title"])
    assert all(0 <= x < 24 for panel in panels for x, _ in _cells(panel))


def _cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    place = panel["gridPos"]
    return set(
        product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
    )


@needs_promtool
def test_panels_of_a_trial_compute_what_they_say(panels: list[dict[str, Any]], tmp_path: Path) -> None:
    done = _computed(_expressions(panels), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_a_panel_of_another_metric_is_found(panels: list[dict[str, Any]], tmp_path: Path) -> None:
    wrong = {
        where: expression.replace("recsys_shadow_overlap_sum", "recsys_shadow_overlap_count")
        for where, expression in _expressions(panels).items()
    }
    assert _computed(wrong, tmp_path).returncode != 0


def _computed(expressions: dict[tuple[str, str], str], folder: Path) -> subprocess.CompletedProcess[str]:
    series = [
        {"series": name.replace("{", '{namespace="shop",'), "values": values}
        for name, values in TRIAL.items()
    ]
    checks = [
        {
            # Rounded: a rate is a quotient of binary fractions.
            "expr": f"round({expressions[where]}, 0.0001)",
            "eval_time": "10m",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in wanted.items()],
        }
        for where, wanted in COMPUTED.items()
    ]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": checks}
    (folder / "test.yaml").write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    return promtool("test", "rules", folder / "test.yaml")
