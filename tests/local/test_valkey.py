from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import redis

from recsys.errors import RecsysError
from recsys.local.ports import is_taken
from recsys.local.valkey import ValkeyServer, is_ready


def _client(server: ValkeyServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, socket_timeout=5)


def test_the_fixture_gives_an_empty_real_server(valkey: redis.Redis) -> None:
    assert valkey.dbsize() == 0
    assert valkey.info("server")["server_name"] == "valkey"


def test_state_survives_a_restart_on_another_port(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        _client(server).zadd("recent:7", {"17": 1.5})
        first_port = server.port
    assert not is_taken(first_port)
    with ValkeyServer(tmp_path) as server:
        assert _client(server).zrange("recent:7", 0, -1, withscores=True) == [(b"17", 1.5)]


def test_a_killed_server_is_not_ready_and_starts_again(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path).start()
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGKILL)
    server.stop()
    assert not is_ready(server.url)
    with server:
        assert is_ready(server.url)


def test_only_the_loopback_address_is_bound(valkey: redis.Redis) -> None:
    assert valkey.config_get("bind") == {"bind": "127.0.0.1"}


def test_a_taken_port_is_one_line(valkey_server: ValkeyServer, tmp_path: Path) -> None:
    with pytest.raises(
        RecsysError, match=rf"^port {valkey_server.port} of Valkey: another process"
    ) as caught:
        ValkeyServer(tmp_path, port=valkey_server.port).start()
    assert "\n" not in str(caught.value)


def test_a_server_that_ends_at_once_says_why(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(RecsysError, match=r"Valkey: .*(AOF|manifest|Bad|Fatal|line)"):
        ValkeyServer(tmp_path).start()
