"""Install, upgrade, rollback and uninstall by the real Helm engine, against a server that checks strictly."""

from __future__ import annotations

from collections.abc import Iterator

import helm_python as helm
import pytest
from factories.api_server import ApiServer, api_server
from factories.chart import CHART, containers, merge, render, values

NAMESPACE = "shop"


@pytest.fixture(params=["1.31", "1.35"])
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    with api_server(request.param) as running:
        yield running


@pytest.fixture
def engine(server: ApiServer) -> Iterator[helm.Config]:
    # Helm keeps its own records in memory: it writes them as protobuf, which the stand-in does not read.
    kubeconfig = server.kubeconfig()
    with helm.Config(kubeconfig_content=kubeconfig, namespace=NAMESPACE, storage_driver="memory") as config:
        yield config


def test_a_release_lives_and_goes(server: ApiServer, engine: helm.Config) -> None:
    chosen = values("everything")
    engine.install(CHART, "shop", chosen, namespace=NAMESPACE, timeout=60)
    assert server.refusals == []
    wanted = {(each["kind"], each["metadata"]["name"]) for each in render(chosen)}
    assert server.objects.keys() == wanted
    assert _release(server) == 7

    newer = merge(chosen, {"promotion": {"release": 8}, "daily": {"enabled": False}})
    engine.upgrade(CHART, "shop", newer, namespace=NAMESPACE, timeout=60)
    assert server.refusals == []
    assert _release(server) == 8
    assert server.names("CronJob") == {"everything-precompute"}, "what the chart no longer holds is removed"
    jobs = {"everything-feast-fill-2", "everything-promote-8-2"}
    assert server.names("Job") == jobs, "each revision fills and promotes with Jobs of its own"

    engine.rollback("shop", version=1, timeout=60)
    assert server.refusals == []
    assert _release(server) == 7
    assert server.names("CronJob") == {"everything-daily", "everything-precompute"}
    assert [each["revision"] for each in engine.history("shop")] == [1, 2, 3]

    engine.uninstall("shop", timeout=60)
    assert server.objects.keys() == set()


def test_the_admin_key_survives_upgrades(server: ApiServer, engine: helm.Config) -> None:
    engine.install(CHART, "shop", values("smallest"), namespace=NAMESPACE, timeout=60)
    key = server.objects["Secret", "shop-recsys-triton-admin"]["data"]["key"]
    newer = merge(values("smallest"), {"release": {"number": 2}})
    engine.upgrade(CHART, "shop", newer, namespace=NAMESPACE, timeout=60)
    assert server.objects["Secret", "shop-recsys-triton-admin"]["data"]["key"] == key


def test_an_object_that_cannot_be_stops_the_installation(server: ApiServer, engine: helm.Config) -> None:
    wrong = merge(values("smallest"), {"triton": {"tolerations": [{"key": "a", "efect": "NoSchedule"}]}})
    with pytest.raises(helm.HelmError, match="efect"):
        engine.install(CHART, "shop", wrong, namespace=NAMESPACE, timeout=60)
    assert any("efect" in refusal for refusal in server.refusals)


def _release(server: ApiServer) -> int:
    """What the promotion's Job, the one there is, promotes."""
    (job,) = (name for name in server.names("Job") if "-promote-" in name)
    (container,) = containers(server.objects["Job", job]["spec"]["template"])
    return int(container["args"][2])
