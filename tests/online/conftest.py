"""Servers that the online tests talk to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import fakeredis
import numpy as np
import pandas as pd
import pytest
import redis
from factories.caller import Caller, open_caller
from feast.protos.feast.types.Value_pb2 import Value

from recsys import schema
from recsys.errors import Unavailable
from recsys.features.feast_layout import ITEM_VIEW, entity_key, field_name
from recsys.local.ports import free_port
from recsys.online.top_categories import Change
from recsys.settings import GatewaySettings, Settings, ValkeySettings


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


@dataclass(frozen=True)
class ShopHome:
    """A home with one small release."""

    path: Path
    item_ids: np.ndarray
    category_l1: np.ndarray
    popularity: np.ndarray


def make_home(path: Path, items: int = 40) -> ShopHome:
    """A release of items whose category_l1 is 0..3 by fours; every fifth is out of stock."""
    folder = path / "releases" / "1"
    folder.mkdir(parents=True)
    number = np.arange(items)
    ids, l1 = 1000 - 7 * number, number % 4
    popularity = np.random.default_rng(0).permutation(items).astype(np.float32)
    pd.DataFrame(
        {
            "item_id": ids,
            "price": (number + 0.5).astype(np.float32),
            "category_l1": l1,
            "category_l2": 100 + number % 8,
            "item_gender": 0,
            "sku": [f"sku-{row}" for row in number],
            "title": [f"Item {row}" for row in number],
            "category_l1_name": [f"Main {row}" for row in l1],
            "category_l2_name": [f"Sub {row}" for row in number % 8],
            "current_stock": (number % 5).astype(np.int64),
        }
    ).to_parquet(folder / schema.CATALOGUE_FILE, index=False)
    np.save(folder / schema.POPULARITY_FILE, popularity)
    (folder / schema.MANIFEST_FILE).write_text("{}")
    (path / "releases" / "current").write_text("1\n")
    return ShopHome(path, ids, l1, popularity)


@pytest.fixture
def shop_home(tmp_path: Path) -> ShopHome:
    return make_home(tmp_path)


@pytest.fixture
def gateway_settings(shop_home: ShopHome, valkey: redis.Redis) -> Settings:
    """Valkey runs, Triton does not."""
    port = valkey.connection_pool.connection_kwargs["port"]
    return Settings(
        home=shop_home.path,
        valkey=ValkeySettings(url=f"redis://127.0.0.1:{port}/0", timeout_s=2),
        gateway=GatewaySettings(triton=f"127.0.0.1:{free_port()}", max_body_bytes=20_000),
    )


@pytest.fixture
def caller(gateway_settings: Settings) -> Iterator[Caller]:
    """A client of a gateway without Triton."""
    yield from open_caller(gateway_settings)


@pytest.fixture
def alone(gateway_settings: Settings) -> Iterator[Caller]:
    """A client of one with neither Triton nor Valkey."""
    away = ValkeySettings(url=f"redis://127.0.0.1:{free_port()}/0")
    yield from open_caller(gateway_settings.model_copy(update={"valkey": away}))
