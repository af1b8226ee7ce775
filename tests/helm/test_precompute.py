"""The nightly batch answers: they ask the ensemble, write to Valkey, and may do nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from factories.chart import Object, containers, named


@pytest.fixture
def job(everything: list[Object]) -> Object:
    return named(everything, "CronJob", "everything-precompute")["spec"]


def _egress(everything: list[Object], component: str) -> set[tuple[int, str]]:
    """Ports and components that network policies let a component's pods reach, names apart."""
    found = set()
    for policy in (one for one in everything if one["kind"] == "NetworkPolicy"):
        chosen: dict[str, Any] = policy["spec"]["podSelector"]
        labels = chosen.get("matchLabels", {}).get("app.kubernetes.io/component")
        named_there = [value for each in chosen.get("matchExpressions", []) for value in each["values"]]
        if component in (labels, *named_there):
            for rule in policy["spec"].get("egress", []):
                found |= {(port["port"], json.dumps(rule["to"])) for port in rule["ports"]}
    return found


def test_one_at_a_time_goes_on_where_the_last_one_ended(job: Object) -> None:
    assert job["concurrencyPolicy"] == "Forbid"
    assert job["jobTemplate"]["spec"]["backoffLimit"] > 0
    (container,) = containers(job["jobTemplate"]["spec"]["template"])
    assert container["command"] == ["python", "-m", "recsys.online.precompute_job"]
    assert container["args"] == ["--concurrency=4"]


def test_it_asks_what_the_gateway_asks_with_the_gateways_settings(
    everything: list[Object], job: Object
) -> None:
    (own,) = containers(job["jobTemplate"]["spec"]["template"])
    gateway = named(everything, "Deployment", "everything-gateway")["spec"]["template"]["spec"]
    (theirs,) = gateway["containers"]
    asked = [each for each in theirs["env"] if each["name"] == "RECSYS_GATEWAY__TRITON"]
    assert [own["env"].count(each) for each in asked] == [1]
    assert own["image"] == theirs["image"]


def test_it_reaches_triton_and_valkey_alone(everything: list[Object], job: Object) -> None:
    ports = {port for port, _ in _egress(everything, "precompute")}
    assert ports == {8001, 6379}
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    account = named(everything, "ServiceAccount", pod["serviceAccountName"])
    assert account["metadata"]["name"] == "everything-precompute"
    assert "annotations" not in account["metadata"], "no role of AWS"
    assert [each["name"] for each in pod["volumes"]] == ["tmp"]


def test_it_is_off_unless_asked_for(installations: dict[str, list[Object]]) -> None:
    for name in ("eks", "local", "smallest"):
        assert not [one for one in installations[name] if "precompute" in one["metadata"]["name"]]
