"""A promotion that asks the API server: installed by Helm, looked up with its own Role and nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import helm_python as helm
import pytest
import yaml
from factories.api_guard import ADMIN, Authority, Guard
from factories.api_server import ApiServer, Object, api_server
from factories.chart import CHART, merge, named, render, values

from recsys.errors import Unavailable
from recsys.release import kubernetes_api
from recsys.release.replicas import addresses

_NAMESPACE = "shop"
_ACCOUNT = "everything-promotion"
_TOKEN = "token-of-promotion"


@pytest.fixture(scope="module")
def chosen() -> Object:
    return merge(values("everything"), {"promotion": {"lookup": "kubernetes"}})


@pytest.fixture(scope="module")
def job(chosen: Object) -> Object:
    """The Job's pod."""
    return named(render(chosen), "Job", "everything-promote-7-1")["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def cluster(chosen: Object, authority: Authority) -> Iterator[tuple[ApiServer, Guard]]:
    """The chart installed by an administrator; three Tritons, of which two are ready."""
    guard = Guard(accounts={_TOKEN: (_NAMESPACE, _ACCOUNT)})
    with api_server("1.34", authority.context(), guard.middleware()) as server:
        guard.server = server
        config = yaml.safe_load(server.kubeconfig())
        trusted = base64.b64encode(authority.certificate.read_bytes()).decode()
        config["clusters"][0]["cluster"]["certificate-authority-data"] = trusted
        config["users"][0]["user"]["token"] = ADMIN
        with helm.Config(
            kubeconfig_content=yaml.safe_dump(config), namespace=_NAMESPACE, storage_driver="memory"
        ) as engine:
            engine.install(CHART, "shop", chosen, namespace=_NAMESPACE, timeout=60)
        assert server.refusals == []
        conditions = [{"ready": True}, {"ready": False}, {"ready": True}]
        server.objects["EndpointSlice", "everything-triton-x"] = {
            "metadata": {"labels": {"kubernetes.io/service-name": "everything-triton"}},
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": [f"10.0.0.{place}"], "conditions": each}
                for place, each in enumerate(conditions)
            ],
        }
        yield server, guard


@pytest.fixture
def in_the_pod(
    cluster: tuple[ApiServer, Guard], authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the Job's volume holds, and what the kubelet tells each container."""
    (tmp_path / "namespace").write_text(_NAMESPACE)
    (tmp_path / "token").write_text(_TOKEN)
    (tmp_path / "ca.crt").write_bytes(authority.certificate.read_bytes())
    host, port = cluster[0].url.removeprefix("https://").split(":")
    monkeypatch.setattr(kubernetes_api, "_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)


@pytest.mark.usefixtures("in_the_pod")
def test_the_jobs_own_argument_finds_the_ready_tritons(cluster: tuple[ApiServer, Guard], job: Object) -> None:
    (asked,) = (
        each.removeprefix("--replica=")
        for each in job["containers"][0]["args"]
        if each.startswith("--replica=")
    )
    cluster[1].asked.clear()
    assert addresses([asked]) == ["10.0.0.0:8000", "10.0.0.2:8000"]
    assert cluster[1].asked == [(_ACCOUNT, "list", "endpointslices")]


@pytest.mark.usefixtures("in_the_pod")
def test_without_the_binding_the_error_says_what_to_bind(cluster: tuple[ApiServer, Guard]) -> None:
    server, _ = cluster
    binding = server.objects.pop(("RoleBinding", _ACCOUNT))
    try:
        with pytest.raises(Unavailable, match=f"serviceaccount:{_NAMESPACE}:{_ACCOUNT}") as refused:
            addresses(["kubernetes:everything-triton:8000"])
    finally:
        server.objects["RoleBinding", _ACCOUNT] = binding
    assert "promotion.lookup=kubernetes" in refused.value.fix


def test_the_role_allows_one_thing(chosen: Object) -> None:
    objects = render(chosen)
    rules = named(objects, "Role", _ACCOUNT)["rules"]
    assert rules == [{"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]}]
    binding = named(objects, "RoleBinding", _ACCOUNT)
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": _NAMESPACE}]
    assert {each["kind"] for each in objects}.isdisjoint({"ClusterRole", "ClusterRoleBinding"})


def test_only_the_jobs_container_holds_a_token_and_a_short_one(job: Object) -> None:
    assert job["automountServiceAccountToken"] is False
    (volume,) = (each for each in job["volumes"] if "projected" in each)
    token = next(each for each in volume["projected"]["sources"] if "serviceAccountToken" in each)
    assert token["serviceAccountToken"] == {"path": "token", "expirationSeconds": 3600}
    (mount,) = (each for each in job["containers"][0]["volumeMounts"] if each["name"] == volume["name"])
    assert mount["mountPath"] == str(kubernetes_api._ACCOUNT)
    assert mount["readOnly"] is True


def test_the_api_server_can_be_reached_and_the_metadata_service_not(chosen: Object) -> None:
    egress = named(render(chosen), "NetworkPolicy", _ACCOUNT)["spec"]["egress"]
    (rule,) = (each for each in egress if {"protocol": "TCP", "port": 6443} in each["ports"])
    assert rule["to"] == [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}}]
