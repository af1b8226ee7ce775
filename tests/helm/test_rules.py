"""Recording rules, alerts and adapter queries, computed by Prometheus' own promtool."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from factories.chart import Object, named
from factories.monitoring import FILES, adapter_rules, expressions, metrics, rules
from factories.promtool import needs_promtool, promtool

RULES = Path(__file__).parent / "rules"
SCENARIOS = ("steady", "burst", "restart", "scale to zero", "one request")


@needs_promtool
@pytest.mark.parametrize("name", ["autoscaling", "service", "alerts", "alerts_calm"])
def test_rules_compute_what_their_scenarios_say(name: str) -> None:
    done = promtool("test", "rules", RULES / f"{name}.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize(
    ("right", "wrong", "fails"),
    [
        ("rate(nv_inference", "delta(nv_inference", "restart"),
        ("/ 1000", "", "steady"),
        (
            "nv_inference_queue_duration_us[1m]",
            'nv_inference_queue_duration_us{model="ensemble_model"}[1m]',
            "steady",
        ),
        ("> 0)", ")", "scale to zero"),
        ("or 0 * sum", "unless sum", "scale to zero"),
        (
            "* rate(nv_inference_exec_count[1m])",
            '* rate(nv_inference_request_success{model!="none"}[1m])',
            "steady",
        ),
        ("avg by (namespace, service, model)", "sum by (namespace, service, model)", "steady"),
    ],
    ids=[
        "delta of a counter",
        "microseconds",
        "the ensemble's own queue",
        "division by zero",
        "idle",
        "a batch for each of its requests",
        "the sum of the pods",
    ],
)
def test_the_scenarios_tell_wrong_formulas(tmp_path: Path, right: str, wrong: str, fails: str) -> None:
    recording = (FILES / "recording.yaml").read_text()
    assert right in recording
    (tmp_path / "recording.yaml").write_text(recording.replace(right, wrong))
    scenarios = yaml.safe_load((RULES / "autoscaling.yaml").read_text())
    scenarios["tests"] = [test for test in scenarios["tests"] if test["name"].startswith(fails)]
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({**scenarios, "rule_files": ["recording.yaml"]}))
    assert promtool("test", "rules", tmp_path / "test.yaml").returncode != 0


@needs_promtool
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_adapter_queries_hand_the_recorded_values_on(tmp_path: Path, scenario: str) -> None:
    """What the adapter asks for one Service is, in every scenario, what was recorded for it."""
    scenarios = yaml.safe_load((RULES / "autoscaling.yaml").read_text())
    chosen = [test for test in scenarios["tests"] if test["name"].startswith(scenario)]
    for test in chosen:
        times = {check["eval_time"] for check in test["promql_expr_test"]}
        test["promql_expr_test"] = [
            _same(rule, service, time)
            for rule, service in zip(adapter_rules(), ("triton", "triton", "gateway"), strict=True)
            for time in sorted(times)
        ]
    scenarios |= {"tests": chosen, "rule_files": [str(FILES / "recording.yaml")]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(scenarios))
    done = promtool("test", "rules", tmp_path / "test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def _same(rule: dict[str, Any], service: str, time: str) -> dict[str, Any]:
    """A check that the adapter's query and the recorded series never differ."""
    matchers = f'namespace="shop",service="{service}"'
    asked = rule["metricsQuery"].replace("<<.GroupBy>>", "service").replace("<<.LabelMatchers>>", matchers)
    (recorded,) = metrics(rule["seriesQuery"])
    differ = f"({asked}) != on (service) {recorded}{{{matchers}}}"
    missing = f"({asked}) unless on (service) {recorded}{{{matchers}}}"
    lost = f"{recorded}{{{matchers}}} unless on (service) ({asked})"
    return {"expr": f"({differ}) or ({missing}) or ({lost})", "eval_time": time, "exp_samples": []}


def test_every_rule_is_computed_in_every_scenario() -> None:
    tests = [test for name in ("autoscaling", "service") for test in _tests(name)]
    for rule in rules("recording"):
        for scenario in SCENARIOS:
            of_it = [test for test in tests if test["name"].startswith(scenario)]
            said = [check["expr"] for test in of_it for check in test["promql_expr_test"]]
            assert any(rule["record"] in expression for expression in said), (rule["record"], scenario)


def test_every_alert_is_computed_in_every_scenario() -> None:
    calm = _tests("alerts_calm")
    for scenario in SCENARIOS[1:]:  # the first is a healthy shop's, in alerts.yaml
        checks = [
            check for test in calm if test["name"].startswith(scenario) for check in test["alert_rule_test"]
        ]
        assert {check["alertname"] for check in checks} == {rule["alert"] for rule in rules("alerts")}


def _tests(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((RULES / f"{name}.yaml").read_text())["tests"]
    return found


def test_every_alert_is_seen_to_fire_and_to_keep_quiet() -> None:
    tests = yaml.safe_load((RULES / "alerts.yaml").read_text())["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    for rule in rules("alerts"):
        seen = [bool(check["exp_alerts"]) for check in checks if check["alertname"] == rule["alert"]]
        assert set(seen) == {True, False}, rule["alert"]


def test_nothing_uses_delta_and_units_are_named() -> None:
    for where, expression in expressions().items():
        assert not re.search(r"\b(delta|idelta|irate)\(", expression), where
        for metric in metrics(expression):
            if metric.endswith(("_total", "_bucket", "_us", "_success", "_failure")):
                absent = expression.startswith("absent(")
                assert absent or re.search(rf"(rate|increase)\({metric}", expression), (where, metric)


def test_recorded_names_that_are_used_are_recorded() -> None:
    recorded = {rule["record"] for rule in rules("recording")}
    used = {name for expression in expressions().values() for name in metrics(expression) if ":" in name}
    assert used == recorded - {"recsys:gateway_requests:rate5m"}  # for whoever asks Prometheus by hand


def test_autoscalers_ask_for_what_the_adapter_offers(everything: list[Object]) -> None:
    offered = {rule["name"]["as"] for rule in adapter_rules()}
    for name in ("triton", "gateway"):
        for metric in named(everything, "HorizontalPodAutoscaler", f"everything-{name}")["spec"]["metrics"]:
            if metric["type"] == "Object":
                assert metric["object"]["metric"]["name"] in offered


def test_every_alert_has_its_page_in_the_runbook() -> None:
    page = (Path(__file__).parents[2] / "docs" / "kubernetes.md").read_text()
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", page, re.M)
    }
    for rule in rules("alerts"):
        assert rule["annotations"]["runbook_url"] == f"RUNBOOK#{rule['alert'].lower()}"
        assert rule["alert"].lower() in anchors
