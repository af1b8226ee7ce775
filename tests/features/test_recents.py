"""The table form of recent clicks equals what the online loop holds after a replay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys import schema
from recsys.features.recents import ClickLog
from recsys.online.effects import Click, Effects
from recsys.online.events import Event
from recsys.online.recents import NEVER, Recents
from recsys.settings import EventSettings, PopularitySettings, RecentsSettings

DAY = 24 * 3600
START = 4_102_444_800  # in 2100: the server's own clock must not let keys expire
ITEMS = np.array([5, 40, -3, 1234567890123, 9, 10, 0])
KEPT = RecentsSettings(kept_s=2 * DAY)


def frame(clicks: list[tuple[int, int, int]]) -> pd.DataFrame:
    columns = np.array(clicks, dtype=np.int64).reshape(-1, 3).T
    user, item, seconds = columns
    return pd.DataFrame({"user_id": user, "item_id": ITEMS[item], "timestamp": START + seconds})


CLICKS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, len(ITEMS) - 1), st.integers(0, 40).map(lambda t: t * 7_200)),
    max_size=40,
)
ASKED = st.lists(
    st.tuples(st.integers(-1, 3), st.integers(-1, 60).map(lambda t: t * 7_200)), min_size=1, max_size=6
)


@given(clicks=CLICKS, asked=ASKED)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_equal_to_what_the_online_loop_holds(
    valkey: redis.Redis, clicks: list[tuple[int, int, int]], asked: list[tuple[int, int]]
) -> None:
    rows = frame(clicks)
    users = np.array([user for user, _ in asked])
    moments = START + np.array([seconds for _, seconds in asked])
    offline = ClickLog.build(rows, ITEMS, KEPT.kept_s).recent(users, moments)

    for row, (user, moment) in enumerate(zip(users.tolist(), moments.tolist(), strict=True)):
        valkey.flushall()
        effects = Effects(valkey, EventSettings(), PopularitySettings(), recents=KEPT)
        before = rows[rows["timestamp"] < moment].itertuples()
        effects.apply(
            [Click(Event(f"e{r.Index}", r.user_id, r.item_id, r.timestamp * 1000), 1, 10) for r in before]
        )
        reader = Recents(valkey, settings=KEPT)
        pipe = valkey.pipeline(transaction=False)
        reader.queue(pipe, [user], [moment * 1000])
        online = reader.parse(pipe.execute())
        there = online.at_ms[0] != NEVER
        assert ITEMS[offline.items[row][offline.items[row] >= 0]].tolist() == online.ids[0, there].tolist()
        hours = (moment * 1000 - online.at_ms[0, there]) / 3_600_000
        assert offline.ages[row, : there.sum()].tolist() == hours.astype(np.float32).tolist()
        assert not offline.ages[row, there.sum() :].any()


def test_a_row_sees_neither_itself_nor_what_comes_later() -> None:
    log = ClickLog.build(frame([(0, 0, 100), (0, 1, 200), (0, 2, 200), (0, 3, 300)]), ITEMS, KEPT.kept_s)
    found = log.recent([0, 0, 0], [START + 100, START + 200, START + 201], width=3)
    assert found.items.tolist() == [[-1, -1, -1], [0, -1, -1], [1, 2, 0]]  # "40" before "-3"
    assert found.ages[2].tolist() == pytest.approx([1 / 3600, 1 / 3600, 101 / 3600])


def test_each_item_once_at_its_last_click_and_the_newest_only() -> None:
    clicks = [(0, number % 7, number * 10) for number in range(30)]
    found = ClickLog.build(frame(clicks), ITEMS, KEPT.kept_s).recent([0], [START + 295], width=5)
    assert found.items.tolist() == [[1, 0, 6, 5, 4]]
    everything = ClickLog.build(frame(clicks), ITEMS, KEPT.kept_s).recent([0], [START + 295])
    assert (everything.items[0] >= 0).sum() == 7
    assert everything.items.shape == (1, schema.RECENT_CLICKS)


def test_what_is_no_click_no_user_or_no_item_of_the_catalogue_does_not_count() -> None:
    rows = frame([(0, 0, 0), (0, 1, 10), (-1, 2, 20), (0, 3, 30)]).assign(click=[0, 1, 1, 1])
    log = ClickLog.build(rows, ITEMS[:3], KEPT.kept_s)
    found = log.recent([0, -1, 7], [START + 99] * 3, width=2)
    assert found.items.tolist() == [[1, -1], [-1, -1], [-1, -1]]
    assert set(found.tensors()) == set(schema.RECENT_FEATURES)


def test_a_log_without_clicks() -> None:
    found = ClickLog.build(frame([]), ITEMS, KEPT.kept_s).recent([1, -1], [START, START])
    assert (found.items == schema.NO_ITEM).all()


def test_speed_does_not_depend_on_a_users_length_of_history_beyond_the_width() -> None:
    """A bot with 20,000 clicks on many items costs no more steps than the width."""
    many = pd.DataFrame({"user_id": 1, "item_id": np.arange(20_000), "timestamp": START + np.arange(20_000)})
    log = ClickLog.build(many, np.arange(20_000), KEPT.kept_s)
    found = log.recent([1], [START + 10**5])
    assert found.items[0].tolist() == list(range(19_999, 19_949, -1))
