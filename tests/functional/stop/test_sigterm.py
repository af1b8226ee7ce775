"""SIGTERM, as Kubernetes sends it: what is under way is finished and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import redis
from factories.shopper import wait_until
from factories.taste_shop import ITEMS, fill, make_shop

from recsys.local.ports import free_port
from recsys.online import keys
from recsys.online.auth import create_key
from recsys.online.drill_system import System, variables
from recsys.online.worker_process import is_alive
from recsys.settings import GatewaySettings, PopularitySettings, Settings

pytestmark = pytest.mark.functional

STOP_S = 120
COUNTING = PopularitySettings(half_life_s=10**9)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Valkey alone, filled; Triton's port is taken by nobody, so that answers take their whole deadline."""
    home: Path = tmp_path_factory.mktemp("stop")
    make_shop(home)
    with System(home, Settings(popularity=COUNTING), start_serving=False) as made, made.client() as client:
        fill(home, client)
        yield made


@contextmanager
def running(name: str, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, **variables(settings)}
    command = [sys.executable, "-m", f"recsys.online.{name}"]
    with (settings.home / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(command, env=environment, stderr=log)
    try:
        yield child
    finally:
        child.kill()
        child.wait(10)


def test_the_gateway_answers_what_it_took_and_leaves(system: System) -> None:
    token = create_key(system.home / "gateway" / "keys.json")
    port = free_port()
    settings = system.settings.model_copy(
        update={"gateway": GatewaySettings(port=port, triton=f"127.0.0.1:{free_port()}")}
    )
    url, headers = f"http://127.0.0.1:{port}", {"authorization": f"Bearer {token}"}
    stopping, statuses, refused = threading.Event(), [], []

    def shop(user: int) -> None:
        """Ask and click until the door is shut; only a refused connection may end it."""
        with httpx.Client(base_url=url, headers=headers, timeout=10) as client:
            for turn in range(10_000):
                try:
                    answer = client.post("/v1/recommendations", json={"user_id": user})
                    event = {"event_id": f"{user}-{turn}", "user_id": user, "item_id": 5_000}
                    clicked = client.post("/v1/events", json=event)
                except httpx.ConnectError:
                    return
                except httpx.TransportError as error:
                    # A connection that was kept open is closed between two requests, not within one.
                    refused.append(type(error).__name__ if not stopping.is_set() else "closed")
                    return
                statuses.extend([answer.status_code, clicked.status_code])

    with running("gateway", settings) as child:

        def answers() -> bool:
            try:
                return httpx.get(f"{url}/readyz", timeout=1).status_code == 200
            except httpx.TransportError:
                return False

        assert wait_until(answers, 300) is not None
        with ThreadPoolExecutor(8) as pool:
            shoppers = [pool.submit(shop, user) for user in range(1_000, 1_008)]
            assert wait_until(lambda: len(statuses) > 100, 300) is not None
            stopping.set()
            child.send_signal(signal.SIGTERM)
            # uvicorn stops in good order and then ends by the signal that it was sent.
            assert child.wait(STOP_S) in (0, -signal.SIGTERM)
            for each in shoppers:
                each.result(STOP_S)
    assert "Traceback" not in (system.home / "gateway.log").read_text()
    assert set(statuses) == {200, 202}
    assert set(refused) <= {"closed"}
    accepted = statuses.count(202)
    with system.client() as client:
        assert accepted <= client.xlen(keys.EVENTS) <= accepted + 8


def test_the_worker_finishes_its_batch_and_hands_in_its_notice(system: System) -> None:
    with system.client() as client:
        client.delete(keys.EVENTS, keys.POPULAR)
        for number in range(3_000):
            event = {
                "event_id": f"w{number}",
                "user_id": 1_000 + number % 40,
                "item_id": 5_000 + number % ITEMS,
            }
            client.xadd(keys.EVENTS, event | {"at_ms": int(time.time() * 1000)})
        with running("worker", system.settings) as child:
            assert wait_until(lambda: applied(client) > 0, 300) is not None
            child.send_signal(signal.SIGTERM)
            assert child.wait(STOP_S) == 0
        assert not is_alive(client)
        first = applied(client)
        group = client.xinfo_groups(keys.EVENTS)[0]
        assert group["pending"] == 0
        assert group["entries-read"] == first
        with running("worker", system.settings) as child:
            assert wait_until(lambda: applied(client) == 3_000, 300) is not None
            child.send_signal(signal.SIGTERM)
            assert child.wait(STOP_S) == 0
    assert first <= 3_000


def applied(client: redis.Redis) -> int:
    """How many clicks had their effect."""
    counts = client.zrange(keys.POPULAR, 0, -1, withscores=True)
    now = time.time() / COUNTING.half_life_s
    return round(sum(2 ** (score - now) for _, score in counts))
