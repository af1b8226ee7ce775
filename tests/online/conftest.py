"""Servers that the online tests talk to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import fakeredis
import pytest
import redis


class Clock:
    """A clock that stands still until a test moves it, in 2100: the servers' own clocks must not delete."""

    def __init__(self, now_ms: int = 4_102_444_800_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def forward(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def bloom_port() -> Iterator[int]:
    """Port of a TCP server that knows the BF.* commands."""
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def bloom_valkey(bloom_port: int) -> Iterator[redis.Redis]:
    """A client of a server with the Bloom module, empty at the start of each test."""
    client = redis.Redis(port=bloom_port, socket_timeout=10, socket_connect_timeout=5)
    client.flushall()
    yield client
    client.close()


@pytest.fixture(params=["bitmap", "native"])
def any_valkey(request: pytest.FixtureRequest) -> redis.Redis:
    """A client of a server without and one of a server with the Bloom module."""
    return request.getfixturevalue({"bitmap": "valkey", "native": "bloom_valkey"}[request.param])
