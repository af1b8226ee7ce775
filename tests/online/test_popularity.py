from __future__ import annotations

import numpy as np
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.online import keys
from recsys.online.effects import Click, Effects
from recsys.online.events import Event
from recsys.online.popularity import Popularity
from recsys.settings import EventSettings, PopularitySettings

from .conftest import Clock

CHOSEN = PopularitySettings(half_life_s=3600, trending_half_life_s=60)


def clicks(moments: list[tuple[int, int]]) -> list[Click]:
    """(item, ms) pairs as clicks on items of category item % 3."""
    return [
        Click(Event(f"e{number}", 1, item, at_ms), item % 3, 10 + item % 3)
        for number, (item, at_ms) in enumerate(moments)
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 86_400_000)), min_size=1, max_size=40))
def test_counts_are_the_sum_of_decayed_interactions(
    valkey: redis.Redis, clock: Clock, ages: list[tuple[int, int]]
) -> None:
    valkey.flushall()
    Effects(valkey, EventSettings(), CHOSEN, clock).apply(
        clicks([(item, clock() - age) for item, age in ages])
    )
    expected: dict[int, float] = {}
    for item, age in ages:
        expected[item] = expected.get(item, 0.0) + 2.0 ** (-age / 3_600_000)
    top = Popularity(valkey, CHOSEN, clock).top()
    assert dict(zip(top.ids.tolist(), top.counts.tolist(), strict=True)) == pytest.approx(expected, rel=1e-6)
    assert (np.diff(top.counts) <= 0).all()


def test_each_list_holds_its_own_items(valkey: redis.Redis, clock: Clock) -> None:
    Effects(valkey, EventSettings(), CHOSEN, clock).apply(clicks([(item, clock()) for item in range(6)]))
    popularity = Popularity(valkey, CHOSEN, clock)
    assert set(popularity.top(keys.popular_l1(1)).ids.tolist()) == {1, 4}
    assert set(popularity.top(keys.popular_l2(12)).ids.tolist()) == {2, 5}
    assert len(popularity.top(keys.POPULAR, 4).ids) == 4
    assert popularity.top(keys.popular_l1(9)).ids.tolist() == []


def test_trending_forgets_faster(valkey: redis.Redis, clock: Clock) -> None:
    old = [(1, clock() - 600_000)] * 20
    Effects(valkey, EventSettings(), CHOSEN, clock).apply(clicks([*old, (2, clock())]))
    popular, trending = Popularity(valkey, CHOSEN, clock).tops([keys.POPULAR, keys.TRENDING])
    assert popular.ids.tolist() == [1, 2]
    assert trending.ids.tolist() == [2, 1]


def test_a_full_list_stays_bounded_and_open_to_the_newly_popular(valkey: redis.Redis, clock: Clock) -> None:
    small = PopularitySettings(size=5)
    old = [(item, clock()) for item in range(5) for _ in range(10)]
    mixed = [(100 if turn % 2 else 200 + turn, clock()) for turn in range(200)]
    Effects(valkey, EventSettings(), small, clock).apply(clicks([*old, *mixed]))
    top = Popularity(valkey, small, clock).top()
    assert len(top.ids) == 5
    assert top.ids[0] == 100
    assert 100 <= top.counts[0] <= 100 + 10  # what it took over when it entered


def test_a_century_later_counts_are_still_finite(valkey: redis.Redis, clock: Clock) -> None:
    effects = Effects(valkey, EventSettings(), CHOSEN, clock)
    effects.apply(clicks([(1, 0), (2, clock())]))
    top = Popularity(valkey, CHOSEN, clock).top()
    assert top.ids.tolist() == [2, 1]
    assert top.counts.tolist() == pytest.approx([1.0, 0.0])
