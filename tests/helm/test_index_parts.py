"""An index in parts: a pod for each, asked by its own name, brought to a release by promotions alone."""

from __future__ import annotations

import json

import pytest
from factories.chart import Object, containers, merge, named, pods, render, values

from recsys.release.fetch import options_parser
from recsys.release.index_part import part_options
from recsys.settings import Settings

_HOSTS = [f"everything-index-{part}.everything-index.shop.svc" for part in (0, 1)]


@pytest.fixture
def parts(everything: list[Object]) -> Object:
    return named(everything, "StatefulSet", "everything-index")["spec"]


def _environment(container: Object) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


def test_each_pod_has_the_part_of_its_place(parts: Object) -> None:
    assert parts["replicas"] == 2
    fetch, agent, _ = containers(parts["template"])
    assert fetch["command"][-1] == "recsys.release.index_part"
    assert agent["command"][-1] == "recsys.release.agent"
    parser = options_parser("any", "")
    part_options(parser, required=True)
    for container in (fetch, agent):
        (place,) = (each for each in container["env"] if each["name"] == "INDEX_PART")
        path = place["valueFrom"]["fieldRef"]["fieldPath"]
        assert path == "metadata.labels['apps.kubernetes.io/pod-index']"
        given = parser.parse_args([each.replace("$(INDEX_PART)", "1") for each in container["args"]])
        assert (given.part, given.parts, given.source) == (1, 2, "s3://shop/releases")


def test_the_ensemble_and_the_promotion_ask_each_part_by_its_own_name(
    everything: list[Object], parts: Object
) -> None:
    service = named(everything, "Service", parts["serviceName"])["spec"]
    assert service["clusterIP"] == "None"
    ports = {each["name"]: each["port"] for each in service["ports"]}
    asked = ",".join(f"{host}:{ports['grpc']}" for host in _HOSTS)
    fetch, agent, _ = containers(named(everything, "Deployment", "everything-triton")["spec"]["template"])
    (promote,) = containers(named(everything, "Job", "everything-promote-7-1")["spec"]["template"])
    for container in (fetch, agent, promote):
        told = _environment(container)
        assert told["RECSYS_SERVING__INDEX_SHARDS"] == asked
        assert told["RECSYS_SERVING__INDEX_SILENCE"] == "error"
        assert Settings(serving={"index_shards": asked}).serving.index_shards == asked  # type: ignore[arg-type]
    named_parts = [each for each in promote["args"] if each.startswith("--part=")]
    assert named_parts == [f"--part={host}:{ports['http']}" for host in _HOSTS]


def test_the_servers_know_the_store_and_no_more(parts: Object) -> None:
    """Neither Valkey's address nor the gateway's keys; the admin key alone."""
    assert parts["template"]["spec"]["serviceAccountName"] == "everything-triton"
    secrets = {
        each["valueFrom"]["secretKeyRef"]["name"]
        for container in containers(parts["template"])
        for each in container["env"]
        if "secretKeyRef" in each.get("valueFrom", {})
    }
    assert secrets == {"admin"}
    assert "RECSYS_VALKEY__URL" not in json.dumps(parts)


def test_model_control_asks_for_a_key(parts: Object) -> None:
    (server,) = parts["template"]["spec"]["containers"]
    guarded = [each for each in server["args"] if each.endswith(":admin-key=$(TRITON_ADMIN_KEY)")]
    assert len(guarded) == 2


def test_without_parts_nobody_hears_of_them() -> None:
    whole = merge(values("everything"), {"indexParts": {"count": 0}})
    objects = render(whole)
    assert "INDEX_SHARDS" not in json.dumps(objects)
    assert "--part=" not in json.dumps(objects)
    assert not [owner for owner, _ in pods(objects) if "index" in owner]
    assert not [each for each in objects if "index" in each["metadata"]["name"]]
