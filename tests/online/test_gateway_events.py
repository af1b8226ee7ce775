"""Events through the gateway: taken whole or not at all, and forgotten on demand."""

from __future__ import annotations

import pytest
import redis
from factories.caller import Caller

from recsys.online import keys
from recsys.online.clock import wall_ms
from recsys.online.effects import Click, Effects
from recsys.online.events import Event
from recsys.online.recents import Recents
from recsys.online.seen import SeenFilter
from recsys.settings import PopularitySettings


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
