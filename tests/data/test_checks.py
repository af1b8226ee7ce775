from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.checks import Marks, day_limits
from recsys.errors import BadData

DAY_S = 24 * 3600


def test_the_first_reason_counts():
    marks = Marks(4)
    marks.mark(np.array([True, False, False, False]), "one")
    marks.mark(np.array([True, True, False, False]), "two")
    marks.mark(np.array([True, True, False, False]), "three")
    assert marks.counts() == {"one": 1, "two": 1}
    assert marks.good.tolist() == [False, False, True, True]


@given(
    st.lists(st.lists(st.integers(0, DAY_S - 1), min_size=1, max_size=50), min_size=1, max_size=5),
    st.integers(-12, 14),
)
def test_days_that_do_not_overlap_lose_no_row_in_any_time_zone(days, zone):
    times = {
        f"day_{d}": np.array(offsets, np.int64) + 1754006400 + d * DAY_S + zone * 3600
        for d, offsets in enumerate(days)
    }
    limits = day_limits(times)
    for day, values in times.items():
        earliest, latest = limits[day]
        assert earliest <= values.min()
        assert values.max() <= latest


def test_strays_are_outside_and_do_not_move_the_limits():
    clean = {f"day_{d}": 1000 + d * DAY_S + np.arange(300) * 280 for d in range(3)}
    strayed = {day: values.copy() for day, values in clean.items()}
    strayed["day_1"][7] = 5 + 2 * DAY_S + 40_000  # an event of the next day
    earliest, latest = day_limits(strayed)["day_1"]
    assert strayed["day_1"][7] > latest
    assert (np.delete(strayed["day_1"], 7) >= earliest).all()
    assert (np.delete(strayed["day_1"], 7) <= latest).all()


@pytest.mark.parametrize("shift", [-DAY_S, -DAY_S // 2])
def test_days_out_of_order_are_refused(shift):
    times = {"day_0": np.arange(100) * 800 + DAY_S, "day_1": np.arange(100) * 800 + 2 * DAY_S + shift}
    with pytest.raises(BadData, match=r"day_1 column timestamp: its events begin before those of day_0 end"):
        day_limits(times)
