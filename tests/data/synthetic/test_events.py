from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.synthetic.events import (
    _in_order,
    _rows_of_sessions,
    _session_lengths,
    _walk,
    is_weekend,
    rows_per_day,
)


def test_the_calendar():
    first = pd.Timestamp(1754006400, unit="s")
    for day in range(20):
        assert is_weekend(day) == ((first + pd.Timedelta(days=day)).dayofweek >= 5)


@given(st.integers(1, 30), st.integers(0, 100_000))
def test_rows_of_days_sum_up(days, extra):
    rows = 2 * days + extra
    shared = rows_per_day(rows, days)
    assert sum(shared) == rows
    assert len(shared) == days
    assert min(shared) >= 1


@given(st.integers(1, 2000), st.integers(0, 100))
def test_sessions_cover_the_clicks(clicks, seed):
    lengths = _session_lengths(clicks, np.random.default_rng(seed))
    assert lengths.sum() == clicks
    assert lengths.min() >= 1
    session, step = _rows_of_sessions(lengths)
    assert np.bincount(session).tolist() == lengths.tolist()
    assert (step == 0).sum() == len(lengths)
    gaps = np.random.default_rng(seed).integers(1, 9, clicks)
    walked = _walk(gaps, step)
    expected, now = [], 0
    for gap, at in zip(gaps.tolist(), step.tolist(), strict=True):
        now = 0 if at == 0 else now + gap
        expected.append(now)
    assert walked.tolist() == expected


def test_equal_events_are_moved_apart():
    frame = pd.DataFrame({"user_id": [1, 1, 1, 2], "timestamp": [5, 5, 5, 1]})
    assert _in_order(frame).to_dict("list") == {"user_id": [2, 1, 1, 1], "timestamp": [1, 5, 6, 7]}


def test_a_day(world):
    day = world.day
    assert len(day.frame) == 6000
    assert len(day.clicked) == 3000
    assert (day.clicked[day.beside] != day.shown).all()  # what was clicked was not passed over
    again = world.simulator.day(9, 6000)
    pd.testing.assert_frame_equal(day.frame, again.frame)
    assert not day.frame.equals(world.simulator.day(10, 6000).frame)


def test_a_session_stays_with_its_kind_more_than_chance_would_have_it(world):
    s, kind = world.day.situation, world.catalogue.kind[world.day.clicked]
    focused = s.focus >= 0
    assert (kind[focused] == s.focus[focused]).mean() > 0.3
    lengthy = np.flatnonzero(s.last >= 0)
    assert (world.catalogue.kind[s.last[lengthy]] == kind[lengthy]).mean() > 0.2


def test_who_focuses_buys_more(world):
    frame = world.simulator.day(2, 40_000).frame
    counts = frame["event_type"].value_counts()
    assert counts["impression"] > counts["view"] > counts["cart"] > counts["purchase"] > 0


def test_a_shopper_mostly_uses_one_device(world):
    s = world.day.situation
    assert (world.shoppers.device[s.user] == s.device).mean() > 0.6
