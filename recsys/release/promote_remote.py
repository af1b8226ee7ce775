"""Promotion on a cluster, from a pod that reaches Tritons, agents, Valkey and the release store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import redis

from recsys import valkey
from recsys.errors import BadUse
from recsys.index.triton_part import require_parts
from recsys.online import trial
from recsys.release.agent_client import AgentFiles
from recsys.release.answers import OwnAnswers
from recsys.release.checks import check
from recsys.release.fetch import fetch
from recsys.release.part_servers import part_servers
from recsys.release.promote import Promoter, Promotion, Report, silent
from recsys.release.promotion_lock import alone
from recsys.release.remote import open_store
from recsys.release.replica import Replica
from recsys.release.replicas import addresses, beside
from recsys.release.store import ReleaseStore
from recsys.release.warm_up import requests_for
from recsys.serving.control import Control
from recsys.settings import Settings

_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True)
class Cluster:
    """Where everything is.

    Attributes:
        replicas: Tritons' HTTP services; see `recsys.release.replicas.addresses`.
        gateways: The gateways' agents: they bring a release's catalogue before it is served.
        source: Root of the release store, whose pointer says what pods that start later serve.
        parts: Where the index is in parts on other servers: the HTTP service of each one's Triton, in order.
    """

    replicas: Sequence[str]
    gateways: Sequence[str]
    source: str
    parts: Sequence[str] = ()


def promote_there(
    settings: Settings,
    number: int,
    cluster: Cluster,
    report: Report = silent,
) -> Promotion:
    """Serve a release on the replicas of a cluster, on all or on none.

    Args:
        settings: The promotion's own, among them the key; widths and variant as the replicas have them.
        number: The release.
        cluster: Where.
        report: Told what happens, by replica.

    Raises:
        RecsysError: The release is refused or a replica failed; what was served still is.
    """
    key = settings.promotion.admin_key.get_secret_value()
    if not key:
        raise BadUse("RECSYS_PROMOTION__ADMIN_KEY", "not set", "Give the key of Triton's model control")
    # Refuses what the gate refused, and what does not hash to what the manifest says.
    fetch(cluster.source, settings.home, number)
    check(ReleaseStore(settings.home / "releases"), number)
    for address in addresses(cluster.gateways):
        report(address, "bringing the catalogue")
        AgentFiles(address, key).bring(number)
    client = valkey.connect(settings.valkey.model_copy(update={"timeout_s": _TIMEOUT_S}))
    try:
        with alone(client):
            return _with_parts(settings, number, cluster, client, report)
    finally:
        client.close()


def _with_parts(
    settings: Settings, number: int, cluster: Cluster, client: redis.Redis, report: Report
) -> Promotion:
    """Promote once every part of the release's index is on its server, where it is in parts."""
    key = settings.promotion.admin_key.get_secret_value()
    parts = part_servers(cluster.parts, key, settings, report)
    promoter = Promoter(
        lambda: [_replica(address, key, settings) for address in addresses(cluster.replicas)],
        settings.promotion.at_once,
        settings.promotion.drain_s,
        settings.promotion.standby,
        report,
    )

    def commit() -> None:
        # First: whether the pointer moved is not certain when moving it fails.
        parts.keep()
        open_store(cluster.source).set_current(number)

    parts.add(number)
    try:
        require_parts(settings.serving, number)
        done = _on_replicas(promoter, settings, number, client, commit)
    except BaseException:
        # Interrupts too: half a promotion must not stay.
        parts.go_back()
        raise
    unsettled = parts.settle(number, standby=settings.promotion.standby)
    return replace(done, unsettled=[*done.unsettled, *unsettled])


def _on_replicas(
    promoter: Promoter, settings: Settings, number: int, client: redis.Redis, commit: Callable[[], None]
) -> Promotion:
    folder = settings.home / "releases" / str(number)
    with OwnAnswers(folder, settings, client, settings.promotion.tolerance) as own:
        trial.stop(client)
        requests = requests_for(client, folder, settings.promotion.requests)
        return promoter.promote(number, lambda one: own.compare(one, requests), commit)


def _replica(address: str, key: str, settings: Settings) -> Replica:
    control = Control(address, key, settings.promotion.load_s)
    files = AgentFiles(beside(address, settings.promotion.agent_port), key)
    return Replica(address, control, files, settings.serving.variant)
