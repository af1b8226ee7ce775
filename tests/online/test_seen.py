from __future__ import annotations

import numpy as np
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.errors import Unavailable
from recsys.local.ports import free_port
from recsys.online.seen import SeenFilter
from recsys.online.seen_forms import has_bloom_commands
from recsys.settings import SeenSettings, ValkeySettings
from recsys.valkey import connect

from .conftest import Clock

DAY_S = 24 * 3600
INT64 = st.integers(-(2**63), 2**63 - 1)
CLICKS = st.lists(st.tuples(st.integers(0, 4), st.integers(-40, 40)), max_size=120)


def rates(seen: SeenFilter, user: int, unseen: np.ndarray) -> float:
    return float(seen.contains([user], unseen[None, :]).mean())


def test_the_form_follows_the_server(valkey: redis.Redis, bloom_valkey: redis.Redis) -> None:
    assert not has_bloom_commands(valkey)
    assert has_bloom_commands(bloom_valkey)
    SeenFilter(valkey, SeenSettings()).add(1, [2])
    SeenFilter(bloom_valkey, SeenSettings()).add(1, [2])
    assert [valkey.type(key) for key in valkey.keys("seen:*")] == [b"string"]
    assert [bloom_valkey.type(key) for key in bloom_valkey.keys("seen:*")] != [b"string"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CLICKS, st.integers(4, 64))
def test_both_forms_hold_every_click_and_little_else(
    valkey: redis.Redis, bloom_valkey: redis.Redis, clicks: list[tuple[int, int]], capacity: int
) -> None:
    valkey.flushall()
    bloom_valkey.flushall()
    users, items = np.arange(5), np.tile(np.arange(-40, 41), (5, 1))
    truth = np.zeros(items.shape, dtype=bool)
    for user, item in clicks:
        truth[user, item + 40] = True
    chosen = SeenSettings(capacity=capacity, error_rate=1e-6)
    for client in (valkey, bloom_valkey):
        seen = SeenFilter(client, chosen)
        for half in (clicks[::2], clicks[1::2]):
            seen.add_events([u for u, _ in half], [i for _, i in half], [seen._now_ms()] * len(half))
        # A false positive is allowed once in a million; both must hold what was clicked.
        assert (seen.contains(users, items) == truth).all()


@given(st.lists(INT64, min_size=1, max_size=20, unique=True))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_int64_is_an_item(any_valkey: redis.Redis, items: list[int]) -> None:
    seen = SeenFilter(any_valkey, SeenSettings())
    seen.add(items[0], items)
    assert seen.contains([items[0]], [items]).all()


def test_false_positives_stay_within_the_setting(any_valkey: redis.Redis, clock: Clock) -> None:
    chosen = SeenSettings(capacity=300, error_rate=0.02)
    seen = SeenFilter(any_valkey, chosen, clock)
    items = np.random.default_rng(0).permutation(100_000)
    seen.add(1, items[:300])
    clock.forward(chosen.rotation_s)
    seen.add(1, items[300:600])
    assert seen.contains([1], items[None, :600]).all()
    # 20,000 draws: the standard error at 2 % is 0.1 %.
    assert rates(seen, 1, items[600:20_600]) <= 1.2 * chosen.error_rate


def test_a_user_with_ten_thousand_items_keeps_the_error_rate(valkey: redis.Redis, clock: Clock) -> None:
    seen = SeenFilter(valkey, SeenSettings(), clock)
    items = np.random.default_rng(1).permutation(100_000)
    seen.add(1, items[:10_000])
    assert seen.contains([1], items[None, :10_000]).all()
    assert rates(seen, 1, items[10_000:60_000]) <= 0.012
    assert valkey.strlen(valkey.keys("seen:1:*")[0]) < 64 * 1024


def test_adding_again_changes_nothing(valkey: redis.Redis, clock: Clock) -> None:
    seen = SeenFilter(valkey, SeenSettings(), clock)
    seen.add(1, np.arange(500))
    (key,) = valkey.keys("seen:1:*")
    before = valkey.get(key)
    seen.add(1, np.arange(500))
    seen.add_events([1] * 500, np.arange(500), [clock()] * 500)
    assert valkey.get(key) == before


def test_items_age_out_by_rotation_and_clicks_do_not_renew_it(any_valkey: redis.Redis, clock: Clock) -> None:
    chosen = SeenSettings(rotation_s=15 * DAY_S)
    seen = SeenFilter(any_valkey, chosen, clock)
    seen.add(1, [7])
    for _ in range(14):
        clock.forward(DAY_S)
        seen.add(1, [8])
        assert seen.contains([1], [[7, 8]]).all()
    clock.forward(16 * DAY_S)
    seen.add(1, [9])
    assert seen.contains([1], [[7, 9]]).tolist() == [[False, True]]


def test_the_server_deletes_a_generation_when_the_next_one_ends(
    any_valkey: redis.Redis, clock: Clock
) -> None:
    import time

    clock.now_ms = int(time.time() * 1000)
    chosen = SeenSettings(rotation_s=1000)
    seen = SeenFilter(any_valkey, chosen, clock)
    seen.add(1, [7])
    (key,) = any_valkey.keys("seen:*")
    end = (clock() // 1_000_000 + 2) * 1000
    assert abs(any_valkey.ttl(key) - (end - time.time())) < 5


def test_old_and_future_clicks(any_valkey: redis.Redis, clock: Clock) -> None:
    chosen = SeenSettings(rotation_s=DAY_S)
    seen = SeenFilter(any_valkey, chosen, clock)
    seen.add_events(
        [1, 2, 3],
        [10, 20, 30],
        [clock() - 3 * DAY_S * 1000, clock() - DAY_S * 1000, clock() + 9 * DAY_S * 1000],
    )
    assert seen.contains([1, 2, 3], [[10], [20], [30]]).ravel().tolist() == [False, True, True]


def test_a_forgotten_user_stays_forgotten(any_valkey: redis.Redis, clock: Clock) -> None:
    seen = SeenFilter(any_valkey, SeenSettings(), clock)
    clicked = clock()
    seen.add(1, [7])
    seen.add(2, [7])
    clock.forward(60)
    seen.forget(1)
    seen.add(1, [7], clicked)  # a replay
    assert seen.contains([1, 2], [[7], [7]]).ravel().tolist() == [False, True]
    clock.forward(1)
    seen.add_events([1, 1], [7, 8], [clicked, clock()])
    assert seen.contains([1], [[7, 8]]).tolist() == [[False, True]]


def test_a_change_of_settings_leaves_stored_filters_readable(valkey: redis.Redis, clock: Clock) -> None:
    SeenFilter(valkey, SeenSettings(capacity=100, error_rate=0.1), clock).add(1, np.arange(50))
    wider = SeenFilter(valkey, SeenSettings(capacity=5000, error_rate=0.001), clock)
    wider.add(1, np.arange(50, 100))
    assert wider.contains([1], [np.arange(100)]).all()


def test_the_same_user_twice_and_empty_batches(any_valkey: redis.Redis) -> None:
    seen = SeenFilter(any_valkey, SeenSettings())
    seen.add(5, [])
    seen.add(5, [1, 2])
    assert seen.contains([5, 6, 5], [[1], [1], [3]]).ravel().tolist() == [True, False, False]
    assert seen.contains([5], np.empty((1, 0), dtype=np.int64)).shape == (1, 0)
    assert seen.contains([], np.empty((0, 4), dtype=np.int64)).shape == (0, 4)


def test_one_round_trip_a_batch(valkey: redis.Redis) -> None:
    seen = SeenFilter(valkey, SeenSettings())
    users = np.arange(64)
    seen.add_events(users, users, [seen._now_ms()] * 64)

    def commands() -> int:
        return int(valkey.client_info()["tot-cmds"])  # this connection's own

    before = commands()
    seen.contains(users, np.tile(np.arange(400), (64, 1)))
    assert commands() - before == 2  # the MGET and this question


@pytest.mark.parametrize("call", ["add", "contains", "forget"])
def test_a_server_that_is_not_there(call: str) -> None:
    client = connect(ValkeySettings(url=f"redis://127.0.0.1:{free_port()}/0"))
    seen = SeenFilter(client, SeenSettings())
    with pytest.raises(Unavailable, match="Valkey"):
        {
            "add": lambda: seen.add(1, [1]),
            "contains": lambda: seen.contains([1], [[1]]),
            "forget": lambda: seen.forget(1),
        }[call]()
