"""Against a server that validates what is stored, knows whom a token belongs to and what a Role allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from factories.api_guard import ADMIN, Authority, Guard
from factories.api_server import KINDS, ApiServer, Object, api_server

from recsys.errors import BadUse, Unavailable
from recsys.release import kubernetes_api
from recsys.release.kubernetes_api import endpoint_addresses, ready_addresses
from recsys.release.replicas import addresses

SERVICE = "shop-recsys-triton"
_TOKEN = "token-of-promotion"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def running(authority: Authority) -> Iterator[tuple[ApiServer, Guard]]:
    guard = Guard(accounts={_TOKEN: ("shop", "shop-recsys-promotion")})
    with api_server("1.34", authority.context(), guard.middleware()) as server:
        guard.server = server
        server.trusted = authority.certificate
        yield server, guard


@pytest.fixture
def server(running: tuple[ApiServer, Guard]) -> ApiServer:
    """Holds the Role and its binding, and no EndpointSlice."""
    server, guard = running
    server.objects.clear()
    guard.asked.clear()
    rules = [{"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]}]
    rbac = "rbac.authorization.k8s.io"
    _put(server, {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": {"name": "lists"}, "rules": rules})
    _put(
        server,
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "lists"},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "lists"},
            "subjects": [{"kind": "ServiceAccount", "name": "shop-recsys-promotion", "namespace": "shop"}],
        },
    )
    return server


@pytest.fixture
def pod(server: ApiServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service account's folder, as the kubelet mounts it."""
    (tmp_path / "namespace").write_text("shop")
    (tmp_path / "token").write_text(f"{_TOKEN}\n")
    (tmp_path / "ca.crt").write_bytes(authority.certificate.read_bytes())
    host, port = server.url.removeprefix("https://").split(":")
    monkeypatch.setattr(kubernetes_api, "_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    return tmp_path


def test_ready_pods_of_the_service_are_found(server: ApiServer, running, pod: Path) -> None:
    _slice(server, "one", [_endpoint("10.0.0.1"), _endpoint("10.0.0.2", ready=False)])
    _slice(server, "two", [_endpoint("10.0.0.3"), _endpoint("10.0.0.4", terminating=True)])
    _slice(server, "others", [_endpoint("10.0.0.9")], service="shop-recsys-gateway")
    assert addresses([f"kubernetes:{SERVICE}:8000"]) == ["10.0.0.1:8000", "10.0.0.3:8000"]
    assert running[1].asked == [("shop-recsys-promotion", "list", "endpointslices")], "one question, no more"


def test_a_pod_with_two_families_is_one_replica(server: ApiServer, pod: Path) -> None:
    _slice(server, "six", [_endpoint("fd00::1", pod="a"), _endpoint("fd00::2", pod="b")], family="IPv6")
    _slice(server, "four", [_endpoint("10.0.0.1", pod="a")])
    assert ready_addresses(SERVICE) == {"10.0.0.1", "fd00::2"}


def test_the_token_is_read_anew_each_time(server: ApiServer, pod: Path) -> None:
    _slice(server, "one", [_endpoint("10.0.0.1")])
    assert ready_addresses(SERVICE) == {"10.0.0.1"}
    (pod / "token").write_text("one that has run out")
    with pytest.raises(Unavailable, match="HTTP status 401") as refused:
        ready_addresses(SERVICE)
    assert "token" in refused.value.fix


def test_without_a_role_the_fix_names_it(server: ApiServer, pod: Path) -> None:
    _slice(server, "one", [_endpoint("10.0.0.1")])
    del server.objects["RoleBinding", "lists"]
    with pytest.raises(Unavailable, match="system:serviceaccount:shop:shop-recsys-promotion") as refused:
        ready_addresses(SERVICE)
    assert "verb list on endpointslices" in refused.value.fix


def test_the_role_allows_nothing_else(server: ApiServer, pod: Path) -> None:
    (pod / "namespace").write_text("another")
    with pytest.raises(Unavailable, match=r"HTTP status 403.*another"):
        ready_addresses(SERVICE)


def test_pods_that_are_not_ready_are_told(server: ApiServer, pod: Path) -> None:
    _slice(server, "one", [_endpoint("10.0.0.1", ready=False)])
    with pytest.raises(Unavailable, match="none of its pods is ready") as refused:
        ready_addresses(SERVICE)
    assert "wait" in refused.value.fix


def test_a_service_that_is_none_is_told(pod: Path) -> None:
    with pytest.raises(BadUse, match="namespace shop has no EndpointSlice of such a service"):
        ready_addresses("no-such-service")
    with pytest.raises(BadUse, match="no EndpointSlice"):
        ready_addresses("a,b=c&limit=1")


def test_a_server_that_is_not_the_clusters_is_not_believed(pod: Path, tmp_path_factory) -> None:
    other = Authority.make(tmp_path_factory.mktemp("other"))
    (pod / "ca.crt").write_bytes(other.certificate.read_bytes())
    with pytest.raises(Unavailable, match="certificate is not trusted") as refused:
        ready_addresses(SERVICE)
    assert str(pod / "ca.crt") in refused.value.fix


def test_a_server_that_is_away_is_told(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    with pytest.raises(Unavailable, match=r"Kubernetes' API: .*refused") as refused:
        ready_addresses(SERVICE)
    assert "network policy" in refused.value.fix


def test_outside_of_a_cluster_there_is_no_kubernetes() -> None:
    with pytest.raises(BadUse, match="no service account here"):
        addresses(["kubernetes:recsys-triton:8000"])


def test_what_is_not_known_counts_as_ready() -> None:
    listing = {
        "items": [
            {"endpoints": [{"addresses": ["10.0.0.4"], "conditions": {}}, {"addresses": ["10.0.0.5"]}]},
            {"endpoints": None},
            {"addressType": "FQDN", "endpoints": [{"addresses": ["a.example"]}]},
        ]
    }
    assert endpoint_addresses(listing) == {"10.0.0.4", "10.0.0.5"}
    assert endpoint_addresses({}) == set()


def _endpoint(address: str, pod: str = "", **conditions: bool) -> Object:
    found: Object = {"addresses": [address], "conditions": {"ready": True} | conditions}
    name = pod or address.replace(".", "-")
    return {**found, "targetRef": {"kind": "Pod", "name": name, "uid": f"uid-{name}"}}


def _slice(
    server: ApiServer, name: str, endpoints: list[Object], *, service: str = SERVICE, family: str = "IPv4"
) -> None:
    _put(
        server,
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
            "addressType": family,
            "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
            "endpoints": endpoints,
        },
    )


def _put(server: ApiServer, sent: dict[str, Any]) -> None:
    """Create an object by the API, which validates it strictly."""
    plural = next(name for name, kind in KINDS[sent["apiVersion"]].items() if kind == sent["kind"])
    url = f"{server.url}/apis/{sent['apiVersion']}/namespaces/shop/{plural}"
    headers = {"authorization": f"Bearer {ADMIN}"}
    answer = requests.post(url, json=sent, headers=headers, verify=str(server.trusted), timeout=10)
    assert answer.status_code == 201, answer.text
