from __future__ import annotations

import os
from pathlib import Path

import pytest

from recsys.local.process import Process, find
from recsys.local.promotion import follow, promote_here, replicas, withdraw_here
from recsys.local.services import services, triton_names
from recsys.local.state import Running, StateFile
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore
from recsys.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def store(settings: Settings) -> ReleaseStore:
    store, staging = ReleaseStore(settings.home / "releases"), settings.home / "staging"
    staging.mkdir()
    for number in (1, 2):
        (staging / "file").write_text(str(number))
        store.publish(staging, data=DataWindow(fingerprint=str(number), days=(0,)), metrics={})
    return store


def test_where_nothing_runs_the_pointer_alone_moves(settings: Settings, store: ReleaseStore) -> None:
    assert promote_here(settings, 2) is None
    assert store.current() == 2
    assert follow(settings) is None
    assert withdraw_here(settings) is None


def test_replicas_are_the_tritons_that_live(settings: Settings) -> None:
    me = find(os.getpid())
    assert me is not None
    where = {"http": "127.0.0.1:1"}
    running = {
        "valkey": Running(me, {"url": "redis://127.0.0.1:1/0"}),
        "triton": Running(me, where),
        "triton-2": Running(Process(me.pid, me.start_ticks + 1), where),  # the pid is somebody else's now
        "triton-3": Running(me, where),
        "gateway": Running(me, where),
    }
    StateFile(settings.home).write(running)
    assert [one.name for one in replicas(settings, running)] == ["triton", "triton-3"]


def test_the_gateway_needs_every_replica() -> None:
    assert triton_names(3) == ["triton", "triton-2", "triton-3"]
    made = services(2)
    assert [service.name for service in made] == ["valkey", "triton", "triton-2", "worker", "gateway"]
    assert {"valkey", "triton", "triton-2"} <= set(made[-1].needs)
    assert "triton-2" in services(1)[-1].needs  # taken away, it is no longer to be asked
    assert [service.serves_release for service in made] == [False, True, True, False, False]
