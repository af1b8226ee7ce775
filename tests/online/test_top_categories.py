from __future__ import annotations

from itertools import pairwise

import numpy as np
import redis
from hypothesis import given
from hypothesis import strategies as st

from recsys.features.behavior import top_category
from recsys.online import keys
from recsys.online.top_categories import Change, News, TopCategories, held

from .conftest import Clock

DAY = 24 * 3600
# Few distinct times, so that windows begin and end on clicks.
CLICKS = st.lists(
    st.tuples(st.integers(0, 12).map(lambda step: step * DAY // 4), st.integers(0, 3)),
    min_size=1,
    max_size=25,
).map(sorted)


def offline(clicks: list[tuple[int, int]], at: list[int]) -> list[int]:
    """The value at some moments by the computation that training uses."""
    times = [time for time, _ in clicks] + at
    answers = top_category(
        np.zeros(len(times)),
        times,
        [category for _, category in clicks] + [0] * len(at),
        clicked=np.arange(len(times)) < len(clicks),
    )
    return answers[len(clicks) :].tolist()


def value_at(told: list[tuple[int, int]], at: int) -> int:
    return next((value for moment, value in reversed(told) if moment <= at), -1)


@given(CLICKS)
def test_what_is_told_holds_until_the_next(clicks: list[tuple[int, int]]) -> None:
    start = clicks[-1][0] - DAY
    told, due = held(clicks, -1, 10 * DAY)
    assert due is None
    asked = list(range(start + 1, 6 * DAY, DAY // 8)) + [at + shift for at, _ in clicks for shift in (0, 1)]
    asked = [at for at in asked if at >= told[0][0]]
    assert [value_at(told, at) for at in asked] == offline(clicks, asked)


@given(CLICKS, st.integers(0, 5 * DAY))
def test_the_next_change_is_the_next_change(clicks: list[tuple[int, int]], wait: int) -> None:
    until = clicks[-1][0] + 1 + wait
    told, due = held(clicks, clicks[-1][0], until)
    everything, _ = held(clicks, clicks[-1][0], 10**9)
    assert told == [pair for pair in everything if pair[0] <= until]
    later = [b[0] for a, b in pairwise(everything) if b[0] > until and b[1] != a[1]]
    assert due == (later[0] if later else None)


def test_a_click_leaving_the_window_brings_the_user_up(valkey: redis.Redis, clock: Clock) -> None:
    now = clock() // 1000
    valkey.zadd(keys.window(5), {"7:1": now - DAY + 100, "7:2": now - DAY + 101, "8:3": now})
    made = TopCategories(valkey)
    news = made.news({5: now})
    assert news.current == [Change(5, 7, now + 1)]
    made.schedule(news)
    assert made.due(now + 100, 10) == {}
    assert made.due(now + 101, 10) == {5: now + 100}  # one of two left: a tie goes to the newer click
    news = made.news(made.due(now + 101, 10), now + 101)
    assert news.current == [Change(5, 8, now + 101)]
    made.schedule(news)
    later = now + 2 * DAY
    news = made.news(made.due(later, 10), later)
    assert news.current == [Change(5, 7, later)]  # an empty window: as it was after the last click
    assert news.due == {5: None}
    made.schedule(news)
    assert valkey.zcard(keys.DUE) == 0


def test_a_late_click_is_written_with_the_newest_time(valkey: redis.Redis) -> None:
    valkey.zadd(keys.window(5), {"7:1": 1000})
    made = TopCategories(valkey)
    made.news({5: 1000})
    valkey.zadd(keys.window(5), {"8:2": 900, "8:3": 901})
    news = made.news({5: 900})
    assert news.current == [Change(5, 8, 1001)]
    assert news.history == [Change(5, 8, 901), Change(5, 8, 902), Change(5, 8, 1001)]


def test_a_user_without_clicks(valkey: redis.Redis) -> None:
    assert TopCategories(valkey).news({5: 0}) == News(due={5: None})
