"""A running shop: a real Valkey filled like Feast fills it, and a real Triton over a tiny release."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import redis
from factories.feast_values import put_item, put_user
from factories.release import CATEGORIES, KNOWN_USERS, make_release

from recsys import schema
from recsys.local.valkey import ValkeyServer
from recsys.serving import repository
from recsys.serving.chain import Chain
from recsys.serving.client import RecommendClient
from recsys.serving.triton import TritonServer
from recsys.settings import ServingSettings, Settings, ValkeySettings
from recsys.valkey import connect

SERVING = ServingSettings(
    retrieved=120, ranked=90, returned=30, http_port=0, grpc_port=0, metrics_port=0, item_refresh_s=0.5
)


@dataclass
class Shop:
    """One running system.

    Attributes:
        home: Its folder.
        releases: Folder of its releases; number 1 is served.
        settings: Its settings.
        valkey: Its Valkey.
        triton: Its Triton.
        client: A client of its Triton.
        store: A client of its Valkey.
    """

    home: Path
    releases: Path
    settings: Settings
    valkey: ValkeyServer
    triton: TritonServer
    client: RecommendClient
    store: redis.Redis

    @property
    def item_ids(self) -> list[int]:
        """The shop's ids in the order of release 1."""
        return [int(found) for found in np.load(self.releases / "1" / schema.ITEM_IDS_FILE)]

    def chain(self) -> Chain:
        """The same release in this process, over the same Valkey."""
        return Chain(self.releases / "1", self.settings, connect(self.settings.valkey))


def _fill(store: redis.Redis, item_ids: list[int]) -> None:
    """Give every item and some users their values."""
    rng = np.random.default_rng(3)
    for item in item_ids:
        put_item(
            store,
            item,
            price=float(rng.uniform(1, 500)),
            category_l1=int(rng.integers(CATEGORIES)),
            category_l2=int(rng.integers(20)),
            item_gender=int(rng.integers(3)),
        )
    for place, user in enumerate(KNOWN_USERS.tolist()):
        put_user(store, user, age=20.0 + 9 * place, gender=place % 2, top_category=place % CATEGORIES)


@contextmanager
def open_shop(
    home: Path, valkey_timeout_s: float = 2.0, serving: ServingSettings = SERVING
) -> Iterator[Shop]:
    """Start a system and stop it at the end.

    Args:
        home: Its folder.
        valkey_timeout_s: Generous, so that a busy machine degrades no answer; short where Valkey is to fail.
        serving: Widths, ports and the variant.
    """
    releases = home / "releases"
    make_release(releases / "1", items=500)
    with ValkeyServer(home / "valkey") as valkey:
        reach = ValkeySettings(url=valkey.url, timeout_s=valkey_timeout_s)
        settings = Settings(home=home, serving=serving, valkey=reach)
        store = redis.Redis.from_url(valkey.url, socket_timeout=5, socket_connect_timeout=5)
        _fill(store, np.load(releases / "1" / schema.ITEM_IDS_FILE).tolist())
        models = home / "triton" / "models"
        repository.assemble(models, releases, 1, settings.serving)
        with (
            TritonServer(models, home / "triton", settings) as triton,
            RecommendClient(triton.endpoints["grpc"], timeout_s=10) as client,
        ):
            yield Shop(home, releases, settings, valkey, triton, client, store)
        store.close()
