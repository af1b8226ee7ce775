"""The worker's liveness probe."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys.local.ports import free_port
from recsys.local.valkey import ValkeyServer
from recsys.online import keys
from recsys.online.worker_probe import is_stuck
from recsys.settings import Settings, ValkeySettings, WorkerSettings
from recsys.valkey import connect


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    reach = ValkeySettings(url=f"redis://127.0.0.1:{free_port()}/0")
    return Settings(home=tmp_path, valkey=reach, worker=WorkerSettings(name="pod-1"))


def test_a_silent_worker_is_stuck_and_another_ones_sign_does_not_help(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "valkey") as server:
        reach = ValkeySettings(url=server.url, timeout_s=2.0)
        settings = Settings(home=tmp_path, valkey=reach, worker=WorkerSettings(name="pod-1"))
        client = connect(reach)
        client.set(keys.worker("pod-2"), "{}")
        assert is_stuck(settings)
        client.set(keys.worker("pod-1"), "{}")
        assert not is_stuck(settings)
        client.close()


def test_a_worker_that_waits_for_valkey_is_left_alone(settings: Settings) -> None:
    assert not is_stuck(settings)
