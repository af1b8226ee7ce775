"""A running system with two Triton replicas on release 1 of two, and clients to put load on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from factories.home import make_home

from recsys.local.fill import settings_at
from recsys.local.promotion import replicas
from recsys.local.services import supervisor
from recsys.local.state import StateFile
from recsys.local.supervisor import Supervisor
from recsys.local.switch_drill import on_own_ports
from recsys.local.twin import publish_twin
from recsys.online.auth import create_key
from recsys.online.gateway_process import keys_path
from recsys.release.replica import Replica
from recsys.release.store import ReleaseStore
from recsys.settings import Settings


@dataclass(frozen=True)
class System:
    """What runs.

    Attributes:
        settings: With Valkey where it listens.
        at_work: Its supervisor.
        store: Its releases, 1 and 2 good.
        token: A key of its gateway.
    """

    settings: Settings
    at_work: Supervisor
    store: ReleaseStore
    token: str

    @property
    def gateway(self) -> str:
        """`host:port` of the gateway."""
        return str(self.at_work.status()["gateway"]["http"])

    def replicas(self) -> list[Replica]:
        """Its Tritons, each answering for itself."""
        return replicas(self.settings, StateFile(self.settings.home).read())


@contextmanager
def open_two_tritons(folder: Path) -> Iterator[System]:
    """Start a system of a tiny shop and stop it at the end.

    Args:
        folder: Its home.
    """
    home = make_home(folder)
    store = ReleaseStore(home / "releases")
    assert publish_twin(store, 1, home / "twin") == 2
    settings = on_own_ports(Settings(), home)
    at_work = supervisor(settings)
    token = create_key(keys_path(settings))
    try:
        at_work.up()
        yield System(settings_at(settings, at_work.status()["valkey"]["url"]), at_work, store, token)
    finally:
        at_work.down()
