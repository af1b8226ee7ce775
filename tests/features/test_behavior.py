from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys.errors import BadUse
from recsys.features.behavior import TopCategories, TopCategory, top_category
from recsys.schema import TOP_CATEGORY_WINDOW_S, UNKNOWN

DAY = TOP_CATEGORY_WINDOW_S


def oracle(user, time, rows, window):
    """The definition, word for word: `rows` are (user, time, category, clicked)."""
    before = [(t, c) for u, t, c, clicked in rows if clicked and u == user and t < time]
    if not before:
        return UNKNOWN
    in_view = [(t, c) for t, c in before if t >= time - window]
    if not in_view:
        return oracle(user, max(t for t, _ in before) + 1, rows, window)

    def rank(category):
        times = [t for t, c in in_view if c == category]
        return len(times), max(times), -category

    return max({c for _, c in in_view}, key=rank)


def vectorised(rows, window=DAY):
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return top_category(*columns[:3], clicked=columns[3], window=window).tolist()


def incremental(rows, window):
    """One state a user, fed in the order of time; a moment's rows are asked before any is pushed."""
    answers = [UNKNOWN] * len(rows)
    for user in {row[0] for row in rows}:
        state = TopCategory(window=window)
        mine = [i for i, row in enumerate(rows) if row[0] == user]
        for time in sorted({rows[i][1] for i in mine}):
            now = [i for i in mine if rows[i][1] == time]
            for i in now:
                answers[i] = state.value(time)
            for i in now:
                if rows[i][3]:
                    state.push(time, rows[i][2])
    return answers


def by_blocks(rows, window, width):
    """Blocks of `width` moments, in the order of time."""
    state, answers = TopCategories(window), [UNKNOWN] * len(rows)
    for block in sorted({row[1] // width for row in rows}):
        mine = [i for i, row in enumerate(rows) if row[1] // width == block]
        columns = [np.array(column) for column in zip(*(rows[i] for i in mine), strict=True)]
        for i, answer in zip(mine, state.extend(*columns), strict=True):
            answers[i] = int(answer)
    return answers


def logs(users, times, categories):
    row = st.tuples(st.integers(*users), st.integers(*times), st.integers(*categories), st.booleans())
    return st.lists(row, min_size=1, max_size=60)


@settings(max_examples=300)
@given(logs((1, 3), (0, 40), (0, 3)), st.integers(1, 12))
@example([(1, 0, 5, True), (1, 0, 4, True), (1, 1, 0, True)], 10)
@example([(1, 0, 7, True), (2, 30, 3, True), (2, 31, 3, False)], 5)
def test_three_ways_agree(rows, window):
    expected = [oracle(user, time, rows, window) for user, time, _, _ in rows]
    assert vectorised(rows, window) == expected
    assert incremental(rows, window) == expected


@given(logs((-(2**63), 2**63 - 1), (-(10**12), 10**12), (-(2**63), 2**63 - 1)))
def test_three_ways_agree_on_any_int64_ids(rows):
    expected = [oracle(user, time, rows, DAY) for user, time, _, _ in rows]
    assert vectorised(rows) == expected
    assert incremental(rows, DAY) == expected


@given(logs((1, 2), (0, 20), (0, 2)), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = vectorised([rows[i] for i in order], 6)
    assert [shuffled[order.index(i)] for i in range(len(rows))] == vectorised(rows, 6)


@given(logs((1, 2), (0, 30), (0, 3)), st.integers(0, 30))
def test_nothing_from_the_future(rows, now):
    """What comes at or after a moment changes no answer up to it."""
    past = [row for row in rows if row[1] <= now]
    if past:
        changed = [
            (user, time, category + 100 * (time >= now), clicked) for user, time, category, clicked in rows
        ]
        seen_all = [answer for row, answer in zip(rows, vectorised(changed, 8), strict=True) if row[1] <= now]
        assert seen_all == vectorised(past, 8)


@pytest.mark.parametrize(
    ("clicks", "at", "expected"),
    [
        ([], 0, UNKNOWN),
        ([(0, 5)], 0, UNKNOWN),  # not itself
        ([(0, 5)], 1, 5),
        ([(0, 5), (1, 5), (2, 6)], 3, 5),
        ([(0, 5), (1, 6)], 2, 6),  # a tie goes to the last
        ([(0, 6), (0, 5)], 1, 5),  # clicked together: to the smaller
        ([(0, 5), (1, 5), (DAY, 6)], DAY + 1, 6),  # (0, 5) has left, (1, 5) is the tie that loses
        ([(0, 5), (0, 5), (1, 7), (DAY, 6)], DAY, 5),  # the window holds its first moment
        ([(0, 5), (1, 7), (2, 5), (3, 6), (4, 6)], 5, 6),  # a tie met late on the way back
        ([(0, 5), (1, 5), (2, 6)], 9 * DAY, 5),  # empty: what held after the last click
        ([(0, 5), (0, 5), (DAY, 6)], 9 * DAY, 6),  # when the first two had left
    ],
)
def test_by_hand(clicks, at, expected):
    assert TopCategory(clicks).value(at) == expected
    rows = [(1, time, category, True) for time, category in clicks] + [(1, at, 0, False)]
    assert vectorised(rows)[-1] == expected


def test_restored_state_keeps_the_stored_value():
    assert TopCategory(kept=7).value(0) == 7
    assert TopCategory([(5, 3)], kept=7).value(5) == 7
    assert TopCategory([(5, 3)], kept=7).value(6) == 3


def test_late_click_counts_while_in_the_window():
    state = TopCategory([(10, 1)], window=5)
    state.push(8, 2)
    state.push(9, 2)
    state.push(4, 3)  # older than the window of the newest click
    assert state.value(13) == 2
    assert state.value(14) == 1
    assert state.value(15) == 1
    assert state.value(99) == 2  # what held at 11


def test_only_a_window_of_events_is_held():
    state = TopCategory(((time, 0) for time in range(1000)), window=10)
    assert len(state._events) <= 11


def test_going_back_in_time_is_refused():
    with pytest.raises(BadUse, match="before the newest click at 10"):
        TopCategory([(10, 1)]).value(9)


@given(logs((1, 3), (0, 40), (0, 3)), st.integers(1, 12), st.integers(1, 30))
def test_blocks_in_the_order_of_time_give_what_the_whole_gives(rows, window, width):
    assert by_blocks(rows, window, width) == vectorised(rows, window)


def test_blocks_hold_a_window_of_clicks_a_user_and_must_follow_each_other():
    state = TopCategories(window=10)
    for begin in range(0, 1000, 100):
        times = np.arange(begin, begin + 100)
        state.extend(times % 2, times, times % 5, times % 3 > 0)
        assert len(state._times) <= 10
    with pytest.raises(BadUse, match="a row at 997 after a click at 998"):
        state.extend([1], [997], [0], [True])


def test_bad_arrays_are_refused():
    with pytest.raises(BadUse, match=r"different lengths \[2, 1, 2, 2\]"):
        top_category([1, 2], [1], [1, 2])
    with pytest.raises(BadUse, match="span too much"):
        top_category([1, 2], [-(2**62), 2**62], [0, 0])


def test_no_rows():
    assert top_category([], [], []).dtype == np.int64
    assert len(top_category([], [], [])) == 0
