from __future__ import annotations

import redis

from recsys.online import effects as module
from recsys.online import keys
from recsys.online.effects import Click, Effects, Outcome
from recsys.online.events import Event
from recsys.online.recents import Recents
from recsys.schema import RECENT_CLICKS
from recsys.settings import EventSettings, PopularitySettings, RecentsSettings

from .conftest import Clock

HOUR_MS = 3_600_000


def click(name: str, item: int, at_ms: int, user: int = 1) -> Click:
    return Click(Event(name, user, item, at_ms), 3, 30)


def effects(client: redis.Redis, clock: Clock, **chosen: int) -> Effects:
    return Effects(client, EventSettings(**chosen), PopularitySettings(), clock)


def snapshot(client: redis.Redis) -> dict[bytes, bytes]:
    return {
        key: client.zrange(key, 0, -1, withscores=True)
        if client.type(key) == b"zset"
        else client.smembers(key)
        for key in sorted(client.keys())
    }


def test_a_repeated_id_changes_nothing(valkey: redis.Redis, clock: Clock) -> None:
    made = effects(valkey, clock)
    batch = [click(f"e{number}", number, clock()) for number in range(5)]
    assert made.apply(batch) == [Outcome.APPLIED] * 5
    before = snapshot(valkey)
    assert made.apply([*batch, click("e0", 99, clock())]) == [Outcome.REPEATED] * 6
    assert snapshot(valkey) == before


def test_ids_are_remembered_for_one_to_two_periods(valkey: redis.Redis, clock: Clock) -> None:
    made = effects(valkey, clock, dedupe_s=100)
    clock.now_ms = 5_000_000
    made.apply([click("e", 1, clock())])
    clock.forward(199)
    assert made.apply([click("e", 1, clock())]) == [Outcome.REPEATED]
    clock.forward(1)
    assert made.apply([click("e", 1, clock())]) == [Outcome.APPLIED]


def test_an_id_takes_eight_bytes(valkey: redis.Redis, clock: Clock, monkeypatch) -> None:
    monkeypatch.setattr(module, "_BUCKETS", 1)
    effects(valkey, clock).apply([click(f"e{number}", 1, clock()) for number in range(500)])
    (key,) = valkey.keys("applied:*")
    assert valkey.object("encoding", key) == b"intset"
    assert valkey.memory_usage(key) < 500 * 8 + 1024


def test_recents_are_newest_first_bounded_and_kept_for_a_time(valkey: redis.Redis, clock: Clock) -> None:
    kept = RecentsSettings(kept_s=24 * 3600)
    made = Effects(valkey, EventSettings(), PopularitySettings(), clock, kept)
    recents = Recents(valkey, clock, kept)
    made.apply([click("a", 1, clock() - 25 * HOUR_MS), click("b", 2, clock() - HOUR_MS)])
    made.apply([click("c", 3, clock()), click("d", 2, clock() - 2 * HOUR_MS)])
    assert recents.of(1).tolist() == [3, 2]
    made.apply([click(f"m{number}", number, clock() + number) for number in range(RECENT_CLICKS + 50)])
    assert recents.of(1).tolist() == list(range(RECENT_CLICKS + 49, 49, -1))
    assert recents.of(1, 3).tolist() == [RECENT_CLICKS + 49, RECENT_CLICKS + 48, RECENT_CLICKS + 47]
    assert valkey.zcard(keys.recent(1)) == RECENT_CLICKS
    clock.forward(25 * 3600)
    assert recents.of(1).tolist() == []
    assert recents.of(2).tolist() == []


def test_events_before_a_tombstone_have_no_effect(valkey: redis.Redis, clock: Clock) -> None:
    valkey.set(keys.forgotten(1), clock())
    made = effects(valkey, clock)
    outcomes = made.apply(
        [click("a", 1, clock()), click("b", 1, clock() + 1), click("c", 1, clock(), user=2)]
    )
    assert outcomes == [Outcome.FORGOTTEN, Outcome.APPLIED, Outcome.APPLIED]


def test_keys_of_a_user_who_stays_away_expire(valkey: redis.Redis, clock: Clock) -> None:
    effects(valkey, clock).apply([click("a", 1, clock())])
    kept_s = RecentsSettings().kept_s
    assert module.WINDOW_KEPT_S < valkey.ttl(keys.recent(1)) <= kept_s
    assert 0 < valkey.ttl(keys.window(1)) <= module.WINDOW_KEPT_S
    assert all(valkey.ttl(key) > 0 for key in valkey.keys("applied:*"))
