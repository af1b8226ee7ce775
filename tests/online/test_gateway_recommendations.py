"""Recommendations through the gateway: fallbacks, rules, and what is refused."""

from __future__ import annotations

import itertools
import time

import pytest
import redis
from factories.caller import Caller, ids

from recsys.online.clock import wall_ms
from recsys.online.effects import Click, Effects
from recsys.online.events import Event
from recsys.online.seen import SeenFilter
from recsys.settings import PopularitySettings

from .conftest import ShopHome


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
        assert time.monotonic() - began < 20


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


def test_a_body_that_is_missing_is_named(caller: Caller) -> None:
    answer = caller.http.post("/v1/events")
    assert (answer.status_code, answer.json()["detail"]) == (422, "body: Field required")
