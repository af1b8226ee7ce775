"""One running system for the tests that only use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from factories.shopper import Shopper, wait_until
from factories.taste_shop import fill, make_shop

from recsys.online.drill_system import System
from recsys.settings import ServingSettings, Settings, ValkeySettings, WorkerSettings

# Patient with Valkey, so that a busy machine degrades no answer.
PATIENT = Settings(
    serving=ServingSettings(retrieved=400, ranked=300, returned=100, item_refresh_s=1.0),
    valkey=ValkeySettings(timeout_s=2.0, connect_timeout_s=2.0),
    worker=WorkerSettings(claim_after_s=1.0),
)


@pytest.fixture(scope="session")
def shopper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shopper]:
    home: Path = tmp_path_factory.mktemp("online_loop")
    make_shop(home)
    with System(home, PATIENT) as system:
        with system.client() as client:
            fill(home, client)
        made = Shopper(system)
        # The release's own values stand in until the first refresh has read Feast's.
        assert wait_until(lambda: made.recommend(1_000)["degraded"] == 0, 300) is not None
        yield made
