"""Every rendered object against the schemas of the Kubernetes versions that the chart supports."""

from __future__ import annotations

import json

import kubernetes_validate
import pytest
from factories.chart import Object, containers, merge, named, pods, render, values

from recsys import tracing

VERSIONS = ("1.31", "1.32", "1.33", "1.34", "1.35")
CUSTOM = {"ServiceMonitor", "PrometheusRule"}
"""Kinds of the Prometheus Operator, which Kubernetes' own schemas do not hold; checked below."""


@pytest.mark.parametrize("version", VERSIONS)
def test_objects_are_valid(objects: list[Object], version: str) -> None:
    for each in objects:
        if each["kind"] not in CUSTOM:
            kubernetes_validate.validate(each, version, strict=True)


def test_an_unknown_kind_or_field_would_fail(objects: list[Object]) -> None:
    service = next(each for each in objects if each["kind"] == "Service")
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        kubernetes_validate.validate({**service, "kind": "Servise"}, "1.35", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**service, "spec": {"porte": []}}, "1.35", strict=True)


def test_monitoring_objects_have_the_operators_shape(everything: list[Object]) -> None:
    for each in (each for each in everything if each["kind"] in CUSTOM):
        assert each["apiVersion"] == "monitoring.coreos.com/v1"
        if each["kind"] == "ServiceMonitor":
            assert set(each["spec"]) == {"selector", "endpoints"}
            assert all(set(end) == {"port", "path", "interval"} for end in each["spec"]["endpoints"])
        else:
            groups = each["spec"]["groups"]
            assert [group["name"] for group in groups] == [
                "recsys-autoscaling",
                "recsys-service",
                "recsys-alerts",
            ]
            assert "RUNBOOK" not in json.dumps(groups)


def test_no_two_objects_are_one(objects: list[Object]) -> None:
    keys = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(keys) == len(set(keys))


def test_what_is_named_is_there(objects: list[Object]) -> None:
    accounts = {each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"}
    for owner, template in pods(objects):
        assert template["spec"]["serviceAccountName"] in accounts, owner
        volumes = {volume["name"] for volume in template["spec"].get("volumes", [])}
        claims = {"data"} if owner.startswith("StatefulSet") else set()
        for container in containers(template):
            mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounts <= volumes | claims, owner
            assert len({each["name"] for each in container.get("env", [])}) == len(container.get("env", []))


def test_selectors_find_the_pods_they_are_for(objects: list[Object]) -> None:
    labels = [template["metadata"]["labels"] for _, template in pods(objects)]
    for each in objects:
        selector = _selector(each)
        if selector and each["metadata"]["labels"].get("app.kubernetes.io/component") != "network":
            assert any(selector.items() <= found.items() for found in labels), each["metadata"]["name"]


def test_one_service_is_scraped_once(everything: list[Object]) -> None:
    services = [each["metadata"] for each in everything if each["kind"] == "Service"]
    for monitor in (each for each in everything if each["kind"] == "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        assert len([one for one in services if wanted.items() <= one["labels"].items()]) == 1


def test_the_same_values_give_the_same_pods(everything: list[Object]) -> None:
    # A random key or a time stamp in a template would roll the pods at each upgrade.
    assert dict(pods(render(values("everything")))) == dict(pods(everything))


def test_release_number_and_own_environment_reach_the_pods(everything: list[Object]) -> None:
    deployment = named(everything, "Deployment", "everything-triton")
    fetch, agent, triton = containers(deployment["spec"]["template"])
    # Who writes the models' configs, and who serves them.
    for container in (fetch, agent, triton):
        assert {"name": "RECSYS_SERVING__RANKED", "value": "200"} in container["env"]
        assert container["image"].startswith("registry.example/triton@sha256:")
    for container in (fetch, agent):
        assert {"name": "RECSYS_SERVING__ONNX_BACKEND", "value": "triton-gpu"} in container["env"]
    pinned = render(merge(values("smallest"), {"release": {"number": 7}}))
    fetch, _ = containers(named(pinned, "Deployment", "shop-recsys-triton")["spec"]["template"])
    assert "--release=7" in fetch["args"]


def test_traces_go_where_the_values_say(everything: list[Object], monkeypatch: pytest.MonkeyPatch) -> None:
    told = {}
    for name in ("triton", "gateway", "worker"):
        deployment = named(everything, "Deployment", f"everything-{name}")
        environment = containers(deployment["spec"]["template"])[-1]["env"]
        told[name] = {each["name"]: each["value"] for each in environment if each["name"].startswith("OTEL_")}
    assert told["triton"] == told["gateway"] == told["worker"]
    for name, value in told["triton"].items():
        monkeypatch.setenv(name, value)
    # The chart starts Triton as `recsys up` would with the same environment.
    url = tracing.endpoint()
    assert url == "http://collector.tracing:4318/v1/traces"
    triton = containers(named(everything, "Deployment", "everything-triton")["spec"]["template"])[-1]
    given = [each for each in triton["args"] if each.startswith("--trace-config")]
    assert given == tracing.triton_options(url)
    assert "--trace-config=rate=4" in given
    policy = named(everything, "NetworkPolicy", "everything-to-collector")["spec"]["egress"]
    assert policy[0]["ports"] == [{"protocol": "TCP", "port": 4318}]


def test_without_a_collector_nobody_traces() -> None:
    plain = render(values("smallest"))
    assert "trace-config" not in json.dumps(plain)
    assert "OTEL_" not in json.dumps(plain)


def test_a_promotion_reaches_every_pod_with_the_key_and_least_rights(everything: list[Object]) -> None:
    """Its arguments name headless Services whose ports the agents and Tritons listen on."""
    job = named(everything, "Job", "everything-promote-7-1")
    (container,) = containers(job["spec"]["template"])
    services = {
        f"dns:{each['metadata']['name']}.shop.svc:{port['port']}"
        for each in everything
        if each["kind"] == "Service" and each["spec"].get("clusterIP") == "None"
        for port in each["spec"]["ports"]
    }
    options = dict(one.split("=", 1) for one in container["args"] if "=" in one)
    assert container["args"][:3] == ["release", "promote", "7"]
    assert {options["--replica"], options["--gateway"]} <= services
    assert options["--source"] == "s3://shop/releases"
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "everything-promotion"
    key = [one for one in container["env"] if one["name"] == "RECSYS_PROMOTION__ADMIN_KEY"]
    for name in ("everything-triton", "everything-gateway"):
        agents = [
            one
            for one in containers(named(everything, "Deployment", name)["spec"]["template"])
            if one["name"] == "agent"
        ]
        assert [each["env"].count(key[0]) for each in agents] == [1]
        assert agents[0]["restartPolicy"] == "Always"
        assert agents[0]["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert options["--source"] in agents[0]["args"][0]


def test_without_promotions_there_is_no_agent(installations: dict[str, list[Object]]) -> None:
    for _, template in pods(installations["smallest"]):
        assert "agent" not in {container["name"] for container in containers(template)}


def _selector(each: Object) -> dict[str, str] | None:
    spec = each.get("spec", {})
    if each["kind"] == "Service":
        return spec["selector"]
    if each["kind"] == "NetworkPolicy":
        return spec["podSelector"].get("matchLabels")
    if each["kind"] in ("PodDisruptionBudget", "Deployment", "StatefulSet"):
        return spec["selector"]["matchLabels"]
    return None
