from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest
import redis
from starlette.testclient import TestClient

from recsys.local.ports import free_port
from recsys.online import keys
from recsys.online.auth import KeyStore, Scope, create_key, revoke_key
from recsys.online.clock import wall_ms
from recsys.online.effects import Click, Effects
from recsys.online.events import Event
from recsys.online.gateway import create_app
from recsys.online.gateway_process import keys_path
from recsys.online.recents import Recents
from recsys.online.seen import SeenFilter
from recsys.settings import GatewaySettings, PopularitySettings, Settings, ValkeySettings

from .conftest import ShopHome


class Caller:
    """A client with a key for everything."""

    def __init__(self, client: TestClient, settings: Settings) -> None:
        self.http, self.settings = client, settings
        self.token = create_key(keys_path(settings))
        client.app.state.doorkeeper._keys = KeyStore(keys_path(settings))
        self.http.headers["authorization"] = f"Bearer {self.token}"

    def recommend(self, **body: object) -> dict:
        answer = self.http.post("/v1/recommendations", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


def open_caller(settings: Settings) -> Iterator[Caller]:
    create_key(keys_path(settings))
    with TestClient(create_app(settings, KeyStore(keys_path(settings)))) as client:
        yield Caller(client, settings)


@pytest.fixture
def settings(shop_home: ShopHome, valkey: redis.Redis) -> Settings:
    """Valkey runs, Triton does not."""
    port = valkey.connection_pool.connection_kwargs["port"]
    return Settings(
        home=shop_home.path,
        valkey=ValkeySettings(url=f"redis://127.0.0.1:{port}/0", timeout_s=2),
        gateway=GatewaySettings(triton=f"127.0.0.1:{free_port()}", max_body_bytes=20_000),
    )


@pytest.fixture
def caller(settings: Settings) -> Iterator[Caller]:
    yield from open_caller(settings)


@pytest.fixture
def alone(settings: Settings) -> Iterator[Caller]:
    """Neither Triton nor Valkey runs."""
    away = ValkeySettings(url=f"redis://127.0.0.1:{free_port()}/0")
    yield from open_caller(settings.model_copy(update={"valkey": away}))


def ids(answer: dict) -> list[int]:
    return [item["item_id"] for item in answer["items"]]


def test_without_triton_popular_items_are_answered(caller: Caller, shop_home: ShopHome) -> None:
    answer = caller.recommend(user_id=5, explain=True)
    assert answer["fallbacks"] == ["popular"]
    assert answer["release"] == 1
    assert ids(answer) == shop_home.item_ids[(-shop_home.popularity).argsort()][:10].tolist()
    assert answer["items"][0]["title"].startswith("Item ")
    assert {item["source"] for item in answer["items"]} == {"popular"}
    assert set(answer["timings_ms"]) == {"ensemble", "fallback", "rules"}
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)


def test_with_nothing_running_an_answer_comes_within_the_deadline(alone: Caller) -> None:
    for _ in range(5):
        began = time.monotonic()
        answer = alone.recommend(user_id=5)
        assert len(answer["items"]) == 10
        assert set(answer["fallbacks"]) == {"popular", "seen_filter"}
        assert time.monotonic() - began < 2


def test_what_is_popular_today_and_in_the_users_category_comes_first(
    caller: Caller, shop_home: ShopHome, valkey: redis.Redis
) -> None:
    least = shop_home.item_ids[shop_home.popularity.argmin()]
    effects = Effects(valkey, caller.settings.events, PopularitySettings())
    effects.apply([Click(Event("e", 1, int(least), wall_ms()), 0, 0)])
    caller.http.app.state.services.shelf.refresh()
    assert ids(caller.recommend(anonymous=True))[0] == least


def test_seen_items_are_dropped_from_popular_ones(caller: Caller, shop_home: ShopHome) -> None:
    first = ids(caller.recommend(user_id=5))
    SeenFilter(caller.http.app.state.services.client, caller.settings.seen).add(5, first[:4])
    assert ids(caller.recommend(user_id=5))[:6] == first[4:]
    assert ids(caller.recommend(user_id=6)) == first


def test_rules_hold(caller: Caller, shop_home: ShopHome) -> None:
    category = dict(zip(shop_home.item_ids.tolist(), shop_home.category_l1.tolist(), strict=True))
    stock = dict(zip(shop_home.item_ids.tolist(), (i % 5 for i in itertools.count())))  # noqa: B905
    answer = caller.recommend(user_id=5, category=2, in_stock_only=True, top_k=500)
    assert {category[item] for item in ids(answer)} == {2}
    assert all(stock[item] > 0 for item in ids(answer))
    assert len(ids(answer)) == 8
    assert "exhausted" in answer["fallbacks"]
    assert ids(caller.recommend(user_id=5, category="main 2", top_k=500)) == [
        item for item in ids(caller.recommend(user_id=5, top_k=500)) if category[item] == 2
    ]
    left_out = ids(answer)[:3]
    assert not set(left_out) & set(ids(caller.recommend(user_id=5, exclude=left_out, top_k=500)))


@pytest.mark.parametrize("category", [99, "no such", "\u0000", "é" * 100])
def test_an_empty_category_is_an_empty_answer(caller: Caller, category: int | str) -> None:
    answer = caller.recommend(user_id=5, category=category)
    assert answer["items"] == []
    assert "exhausted" in answer["fallbacks"]


def test_more_than_the_catalogue_is_the_catalogue(caller: Caller, shop_home: ShopHome) -> None:
    answer = caller.recommend(user_id=5, top_k=500)
    assert sorted(ids(answer)) == sorted(shop_home.item_ids.tolist())


def test_a_user_who_has_seen_everything_gets_an_empty_answer(caller: Caller, shop_home: ShopHome) -> None:
    SeenFilter(caller.http.app.state.services.client, caller.settings.seen).add(5, shop_home.item_ids)
    answer = caller.recommend(user_id=5)
    assert answer["items"] == []
    assert set(answer["fallbacks"]) == {"popular", "exhausted"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_id": 5, "anonymous": True},
        {"user_id": -1},
        {"user_id": 2**63},
        {"user_id": "5"},
        {"user_id": 5.5},
        {"user_id": 5, "top_k": 0},
        {"user_id": 5, "top_k": 501},
        {"user_id": 5, "device_type": "fridge"},
        {"user_id": 5, "timestamp": -1},
        {"user_id": 5, "exclude": [1] * 1001},
        {"user_id": 5, "exclude": ["1"]},
        {"user_id": 5, "category": ""},
        {"user_id": 5, "category": "\ud800"},
        {"user_id": 5, "deadline_ms": 1},
        {"user_id": 5, "surprise": 1},
        [],
        None,
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(caller: Caller, body: object) -> None:
    import json

    answer = caller.http.post(
        "/v1/recommendations", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"user_id": NaN}', b'{"user_id":1e400}'])
def test_what_is_not_json_is_refused(caller: Caller, body: bytes) -> None:
    answer = caller.http.post(
        "/v1/recommendations", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422


def test_a_long_body_is_refused_before_it_is_read(caller: Caller) -> None:
    for headers in ({}, {"transfer-encoding": "chunked"}):
        parts = (b"x" * 5_000 for _ in range(100))
        answer = caller.http.post("/v1/events", content=parts, headers=headers)
        assert answer.status_code == 413


def test_events_are_in_the_log_when_they_are_accepted(caller: Caller, valkey: redis.Redis) -> None:
    one = caller.http.post("/v1/events", json={"user_id": 5, "item_id": 7})
    many = caller.http.post(
        "/v1/events",
        json={"events": [{"user_id": 5, "item_id": 8, "event_id": "mine", "timestamp": 1_754_006_400}]},
    )
    assert [one.status_code, many.status_code] == [202, 202]
    assert many.json()["event_ids"] == ["mine"]
    first, second = (fields for _, fields in valkey.xrange(keys.EVENTS))
    assert (first[b"item_id"], second[b"item_id"]) == (b"7", b"8")
    assert second[b"at_ms"] == b"1754006400000"


def test_a_clock_that_is_ahead_counts_as_now(caller: Caller, valkey: redis.Redis) -> None:
    ahead = {"user_id": 5, "item_id": 7, "timestamp": 253_402_300_799}
    assert caller.http.post("/v1/events", json=ahead).status_code == 202
    ((_, fields),) = valkey.xrange(keys.EVENTS)
    assert abs(int(fields[b"at_ms"]) - wall_ms()) < 60_000


def test_the_document_tells_limits_exactly(caller: Caller) -> None:
    document = caller.http.get("/openapi.json").json()
    asked = document["components"]["schemas"]["RecommendationRequest"]["properties"]
    user = asked["user_id"]["anyOf"][0]
    assert (user["minimum"], user["maximum"]) == (-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    "body",
    [
        {"user_id": 5},
        {"user_id": 5, "item_id": 7, "timestamp": 1_754_006_400_000},
        {"user_id": 5, "item_id": 7, "event_type": "stare"},
        {"user_id": 5, "item_id": 7, "event_id": "two words"},
        {"events": []},
        {"events": [{"user_id": 5, "item_id": 7}] * 501},
        {"events": [{"user_id": 5, "item_id": 7}, {"user_id": 5}]},
    ],
)
def test_of_wrong_events_none_is_accepted(caller: Caller, valkey: redis.Redis, body: dict) -> None:
    assert caller.http.post("/v1/events", json=body).status_code in (413, 422)
    assert valkey.xlen(keys.EVENTS) == 0


def test_without_a_log_events_are_not_accepted(alone: Caller) -> None:
    answer = alone.http.post("/v1/events", json={"user_id": 5, "item_id": 7})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"


def test_forget_me(caller: Caller, valkey: redis.Redis) -> None:
    effects = Effects(valkey, caller.settings.events, PopularitySettings())
    effects.apply([Click(Event("e", 5, 7, wall_ms()), 0, 0)])
    SeenFilter(valkey, caller.settings.seen).add(5, [7])
    answer = caller.http.delete("/v1/users/5/history")
    assert answer.status_code == 200
    assert abs(answer.json()["until_ms"] - wall_ms()) < 60_000
    assert Recents(valkey).of(5).tolist() == []
    left = [key for key in valkey.keys("*:5*") if not key.startswith((b"applied", b"popular"))]
    assert left == [b"forgotten:5"]
    assert next(fields for _, fields in valkey.xrange(keys.EVENTS))[b"event_type"] == b"forget"
    assert caller.http.delete("/v1/users/5/history").status_code == 200
    assert caller.http.delete("/v1/users/-1/history").status_code == 422
    assert caller.http.delete("/v1/users/me/history").status_code == 422


def test_items(caller: Caller, shop_home: ShopHome) -> None:
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        page = caller.http.get("/v1/items", params={"limit": 15, "after": after}).json()
        found += ids(page)
        after = page["next"]
    assert found == shop_home.item_ids.tolist()
    two = caller.http.get("/v1/items", params={"ids": [found[3], 12345, found[1]]}).json()
    assert ids(two) == [found[3], found[1]]
    assert two["items"][0]["title"] == "Item 3"
    assert len(ids(caller.http.get("/v1/items", params={"category": "3"}).json())) == 10
    assert len(ids(caller.http.get("/v1/items", params={"category": "Sub 3"}).json())) == 5


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "after=-1",
        "after=1.5",
        "ids=a",
        "ids=9223372036854775808",
        "category=",
        f"category={'x' * 101}",
        "&".join(f"ids={number}" for number in range(501)),
    ],
)
def test_items_refuses_what_it_cannot_mean(caller: Caller, query: str) -> None:
    answer = caller.http.get(f"/v1/items?{query}")
    assert answer.status_code == 422
    assert answer.json()["title"] == "Input does not fit"


def test_keys_and_scopes(caller: Caller, valkey: redis.Redis) -> None:
    path = keys_path(caller.settings)
    reader, gone = create_key(path, [Scope.READ]), create_key(path)
    revoke_key(path, gone.split("_")[1])
    caller.http.app.state.doorkeeper._keys = KeyStore(path)
    calls = [
        ("POST", "/v1/recommendations", {"user_id": 5}),
        ("POST", "/v1/events", {"user_id": 5, "item_id": 7}),
        ("DELETE", "/v1/users/5/history", None),
        ("GET", "/v1/items", None),
    ]
    wrong = [None, "", "Bearer", "Bearer x", f"Bearer {reader}x", f"Bearer {gone}", f"Basic {reader}"]
    for (method, path_, body), header in itertools.product(calls, wrong):
        caller.http.headers.pop("authorization", None)
        headers = {} if header is None else {"authorization": header}
        answer = caller.http.request(method, path_, json=body, headers=headers)
        assert answer.status_code == 401, (method, path_, header)
        assert answer.headers["www-authenticate"] == "Bearer"
    given = {"x-api-key": reader}
    statuses = [caller.http.request(m, p, json=b, headers=given).status_code for m, p, b in calls]
    assert statuses == [200, 403, 403, 200]
    assert valkey.keys("*") == []


def test_a_key_that_is_used_too_often_waits(settings: Settings) -> None:
    slow = settings.gateway.model_copy(update={"rate_per_s": 0.001, "burst": 2})
    for caller in open_caller(settings.model_copy(update={"gateway": slow})):
        statuses = [caller.http.get("/v1/items").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert int(caller.http.get("/v1/items").headers["retry-after"]) > 100


def test_probes_and_metrics_need_no_key(caller: Caller) -> None:
    caller.recommend(user_id=5)
    caller.http.headers.pop("authorization")
    assert caller.http.get("/healthz").json()["status"] == "ok"
    ready = caller.http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"status": "degraded", "parts": {"triton": "down", "valkey": "up"}}
    text = caller.http.get("/metrics").text
    assert 'recsys_gateway_degraded_total{rung="popular"} 1.0' in text
    assert 'route="/v1/recommendations",status="200"} 1.0' in text


def test_not_ready_before_there_is_a_release(settings: Settings) -> None:
    (settings.home / "releases" / "current").unlink()
    for caller in open_caller(settings):
        assert caller.http.get("/readyz").status_code == 503
        answer = caller.recommend(user_id=5)
        assert answer["items"] == []
        assert answer["release"] is None


def test_a_request_keeps_a_harmless_id_and_loses_another(caller: Caller) -> None:
    kept = caller.http.get("/healthz", headers={"x-request-id": "abc-1"})
    lost = caller.http.get("/healthz", headers={"x-request-id": "a b\tc"})
    assert kept.headers["x-request-id"] == "abc-1"
    assert len(lost.headers["x-request-id"]) == 32


def test_what_breaks_inside_stays_inside(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    services = caller.http.app.state.services

    def broken() -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(services.catalogues, "current", broken)
    answer = caller.http.get("/v1/items")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
