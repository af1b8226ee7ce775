"""The gateway keeps to its OpenAPI document whatever it is sent: no 5xx, no traceback, no hang.

`RECSYS_TEST_CASES` sets the cases an operation; the default is quick, 2000 makes ten thousand in all.
"""

from __future__ import annotations

import json
import os
import random
import string
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from factories.taste_shop import make_shop
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import ignored_auth

from recsys.local import process
from recsys.local.ports import free_port
from recsys.local.valkey import ValkeyServer
from recsys.online.auth import KeyStore, Scope, create_key, revoke_key
from recsys.online.drill_system import variables
from recsys.online.gateway import create_app
from recsys.settings import EventSettings, GatewaySettings, Settings, ValkeySettings

pytestmark = pytest.mark.functional

CASES = int(os.environ.get("RECSYS_TEST_CASES", "60"))
TIMEOUT_S = 10


def _document() -> dict:
    """The OpenAPI document that a gateway serves; nothing has to run for it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keys.json"
        create_key(path)
        return create_app(Settings(), KeyStore(path)).openapi()


schema = schemathesis.openapi.from_dict(_document())


class Gateway:
    """A gateway process over a real Valkey; Triton does not run, so the fallbacks are exercised too."""

    def __init__(self, home: Path, valkey: ValkeyServer) -> None:
        self.home, self.valkey, self.port = home, valkey, free_port()
        self.log = home / "gateway.log"
        self.keys = home / "gateway" / "keys.json"
        self.token = create_key(self.keys)
        self.settings = Settings(
            home=home,
            valkey=ValkeySettings(url=valkey.url, timeout_s=2),
            events=EventSettings(max_length=10_000_000),
            gateway=GatewaySettings(
                port=self.port, triton=f"127.0.0.1:{free_port()}", rate_per_s=1e6, burst=10**6
            ),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> process.Process:
        command = [sys.executable, "-m", "recsys.online.gateway"]
        child = process.spawn(command, self.log, {**os.environ, **variables(self.settings)})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=1):
                    return child
            except OSError:
                time.sleep(0.1)
        child.stop()
        raise AssertionError(process.last_line(self.log))

    def broken(self) -> list[str]:
        """What the log says went wrong inside."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line["message"] for line in lines if line["level"] == "error" or "exception" in line]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway_contract")
    make_shop(home)
    with ValkeyServer(home / "valkey") as valkey:
        made = Gateway(home, valkey)
        child = made.start()
        yield made
        child.stop()
        assert "Traceback" not in made.log.read_text()


@schema.parametrize()
@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_that_the_document_promises(case: schemathesis.Case, gateway: Gateway) -> None:
    case.call_and_validate(
        base_url=gateway.url,
        headers={"authorization": f"Bearer {gateway.token}"},
        timeout=TIMEOUT_S,
        # It sends a wrong X-API-Key beside this right key, and of two keys one that is right is enough.
        excluded_checks=[ignored_auth],
    )
    assert gateway.broken() == []


def test_noise_is_refused_and_breaks_nothing(gateway: Gateway) -> None:
    rng = random.Random(0)
    paths = ["/v1/recommendations", "/v1/events", "/v1/items", "/v1/users/5/history", "/", "/v1/../etc"]
    headers = {"authorization": f"Bearer {gateway.token}", "content-type": "application/json"}
    with httpx.Client(base_url=gateway.url, timeout=TIMEOUT_S, headers=headers) as client:
        for _ in range(10 * CASES):
            body = noise(rng)
            method = rng.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
            answer = client.request(method, rng.choice(paths), content=body)
            assert answer.status_code < 500, (method, body)
            assert "Traceback" not in answer.text
    assert gateway.broken() == []


def noise(rng: random.Random) -> bytes:
    """A body that is nearly right, or not at all."""
    values = [None, True, -1, 5, 2**63, 1e308, "", "x" * 300, "\ud800", [], {}, [5] * 2000, {"user_id": 5}]
    names = ["user_id", "anonymous", "top_k", "exclude", "category", "events", "item_id", "timestamp", "x"]
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
    if kind == 1:
        return ("[" * rng.randrange(5_000)).encode()
    body = {rng.choice(names): rng.choice(values) for _ in range(rng.randrange(6))}
    text = json.dumps(body)
    if kind == 2:
        place = rng.randrange(len(text) + 1)
        text = text[:place] + rng.choice(string.printable) + text[place:]
    return text.encode("utf-8", "surrogatepass")


def test_keys_turn_without_a_restart(gateway: Gateway) -> None:
    old, reader = create_key(gateway.keys), create_key(gateway.keys, [Scope.READ])

    def status(token: str, path: str = "/v1/recommendations") -> int:
        headers = {"authorization": f"Bearer {token}"}
        body = {"user_id": 5} if "recommend" in path else {"user_id": 5, "item_id": 5_000}
        return httpx.post(f"{gateway.url}{path}", json=body, headers=headers, timeout=TIMEOUT_S).status_code

    def becomes(wanted: int, *call: str) -> bool:
        deadline = time.monotonic() + 10
        while status(*call) != wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        return status(*call) == wanted

    assert becomes(200, old)
    assert becomes(403, reader, "/v1/events")
    revoke_key(gateway.keys, old.split("_")[1])
    assert becomes(401, old)
    assert status(gateway.token) == 200
