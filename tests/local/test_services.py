from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from recsys.errors import BadUse, RecsysError, Unavailable
from recsys.local import valkey
from recsys.local.ports import free_port
from recsys.local.process import find
from recsys.local.service import Context
from recsys.local.services import (
    TRITON,
    VALKEY,
    held_ports,
    require_ready,
    require_release,
    supervisor,
)
from recsys.local.state import Running, StateFile
from recsys.settings import ServingSettings, Settings, ValkeySettings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    any_port = ServingSettings(http_port=0, grpc_port=0, metrics_port=0)
    return Settings(home=tmp_path, valkey=ValkeySettings(url="redis://127.0.0.1:0/0"), serving=any_port)


def test_valkey_keeps_its_data_under_the_home_and_binds_the_loopback(settings: Settings) -> None:
    launch = VALKEY.plan(Context(settings))
    options = dict(zip(launch.command[1::2], launch.command[2::2], strict=True))
    assert options["--dir"] == str(settings.home / "valkey")
    assert options["--bind"] == "127.0.0.1"
    assert launch.endpoints["url"] == f"redis://127.0.0.1:{options['--port']}/0"


def test_valkey_comes_back_on_its_port_where_any_would_do(settings: Settings) -> None:
    port = free_port()
    launch = VALKEY.plan(Context(settings, previous={"url": f"redis://127.0.0.1:{port}/0"}))
    assert launch.endpoints["url"] == f"redis://127.0.0.1:{port}/0"


def test_valkey_moves_where_its_old_port_is_taken_by_now(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        launch = VALKEY.plan(Context(settings, previous={"url": taken}))
    assert launch.endpoints["url"] != taken


@pytest.mark.parametrize(
    "url",
    ["redis://cache.example:6379/0", "rediss://127.0.0.1:6379/0", "redis://127.0.0.1:high/0", "nonsense"],
)
def test_a_valkey_that_is_not_ours_to_start_is_one_line(settings: Settings, url: str) -> None:
    elsewhere = settings.model_copy(update={"valkey": ValkeySettings(url=url)})
    with pytest.raises(BadUse, match=r"^RECSYS_VALKEY__URL: .*Write redis://127\.0\.0\.1:6379/0"):
        VALKEY.plan(Context(elsewhere))


def test_the_default_port_is_valkeys_own() -> None:
    assert valkey.port_of("redis://localhost/0") == 6379
    assert valkey.port_of("redis://127.0.0.1:0/0") == 0


def test_triton_needs_a_release(settings: Settings) -> None:
    with pytest.raises(BadUse, match=r"Triton: there is no release to serve\. Make one with"):
        TRITON.plan(Context(settings, endpoints={"valkey": {"url": "redis://127.0.0.1:1/0"}}))


def test_no_release_is_one_line(settings: Settings) -> None:
    with pytest.raises(RecsysError, match="no release yet"):
        require_release(settings)
    assert supervisor(settings).release is None


def test_a_service_that_does_not_run_is_one_line(settings: Settings) -> None:
    with pytest.raises(Unavailable, match=r"^Triton: does not answer \(stopped\)"):
        require_ready(supervisor(settings), "triton")


def test_held_ports_are_those_of_the_state_file(settings: Settings) -> None:
    me = find(os.getpid())
    assert me is not None
    entries = {
        "valkey": Running(me, {"url": "redis://127.0.0.1:11/0"}),
        "triton": Running(me, {"http": "127.0.0.1:12", "grpc": "127.0.0.1:13"}),
    }
    StateFile(settings.home).write(entries)
    assert held_ports(settings) == {11, 12, 13}
