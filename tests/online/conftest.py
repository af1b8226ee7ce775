"""Servers that the online tests talk to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import fakeredis
import pytest
import redis
from feast.protos.feast.types.Value_pb2 import Value

from recsys.errors import Unavailable
from recsys.features.online_store import ITEM_VIEW, entity_key, field_name
from recsys.online.top_categories import Change


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


class RecordingStore:
    """A feature store that remembers what was written, and fails when told to."""

    def __init__(self) -> None:
        self.online: list[Change] = []
        self.offline: list[Change] = []
        self.broken = False

    def write_online(self, changes: Sequence[Change]) -> None:
        if self.broken:
            raise Unavailable("feature store", "broken by the test", "Mend it")
        self.online += changes

    def write_offline(self, changes: Sequence[Change]) -> None:
        if self.broken:
            raise Unavailable("feature store", "broken by the test", "Mend it")
        self.offline += changes

    def served(self) -> dict[int, int]:
        """Each user's value with the newest time, the later write winning a tie."""
        found: dict[int, Change] = {}
        for change in self.online:
            if change.user_id not in found or change.timestamp >= found[change.user_id].timestamp:
                found[change.user_id] = change
        return {user: change.top_category for user, change in found.items()}


@pytest.fixture
def store() -> RecordingStore:
    return RecordingStore()


def write_items(client: redis.Redis, categories: dict[int, tuple[int, int]]) -> None:
    """Write items as Feast's online store holds them."""
    pipeline = client.pipeline(transaction=False)
    for item, (l1, l2) in categories.items():
        values = {"price": 10.0, "category_l1": l1, "category_l2": l2, "item_gender": 0}
        pipeline.hset(
            entity_key("item_id", item),
            mapping={field_name(ITEM_VIEW, name): _value(value) for name, value in values.items()},
        )
    pipeline.execute()


def _value(value: float) -> bytes:
    message = Value(float_val=value) if isinstance(value, float) else Value(int64_val=value)
    return message.SerializeToString()
