"""The table form of popularity equals what the worker's lists hold after a replay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.features.popularity import SMOOTH, PopularityLog, relative
from recsys.online import keys
from recsys.online.effects import Click, Effects
from recsys.online.events import Event
from recsys.settings import EventSettings, PopularitySettings

START = 4_102_444_800  # in 2100: the server's own clock must not let keys expire
ITEMS = np.array([5, 40, -3, 9])
HALF = 3_600
COUNTS = PopularitySettings(half_life_s=HALF, trending_half_life_s=60)


def frame(clicks: list[tuple[int, int]]) -> pd.DataFrame:
    item, seconds = np.array(clicks, dtype=np.int64).reshape(-1, 2).T
    return pd.DataFrame({"user_id": 1, "item_id": ITEMS[item], "timestamp": START + seconds})


CLICKS = st.lists(
    st.tuples(st.integers(0, len(ITEMS) - 1), st.integers(0, 30).map(lambda t: t * 1_800)), max_size=30
)


@given(clicks=CLICKS, moment=st.integers(-1, 32).map(lambda t: t * 1_800))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_equal_to_what_the_worker_counts(
    valkey: redis.Redis, clicks: list[tuple[int, int]], moment: int
) -> None:
    """In any order of arrival, with ties, and whenever it is read."""
    rows = frame(clicks)
    offline = PopularityLog.build(rows, ITEMS, HALF).before([np.arange(len(ITEMS))], [START + moment])[0]
    valkey.flushall()
    before = rows[rows["timestamp"] < START + moment]
    Effects(valkey, EventSettings(), COUNTS).apply(
        [Click(Event(f"e{r.Index}", 1, r.item_id, r.timestamp * 1000), 1, 10) for r in before.itertuples()]
    )
    scores = np.full(len(ITEMS), -np.inf)
    for member, score in valkey.zrange(keys.POPULAR, 0, -1, withscores=True):
        scores[ITEMS.tolist().index(int(member))] = score
    online = relative(scores, np.logaddexp2.reduce(scores), len(ITEMS))
    np.testing.assert_allclose(offline, online, atol=1e-6)


def test_equal_to_the_formula() -> None:
    rows = frame([(0, 0), (0, HALF), (1, HALF), (2, 2 * HALF)])
    found = PopularityLog.build(rows, ITEMS, HALF).before(
        [[0, 1, 2, 3, -1]] * 2, START + np.array([0, 2 * HALF])
    )
    counts = np.array([0.25 + 0.5, 0.5, 0, 0])  # what is clicked at that moment is not before it
    share = counts / counts.mean()
    assert not found[0].any()
    assert found[1, :4] == pytest.approx(np.log((share + SMOOTH) / (1 + SMOOTH)), abs=1e-6)
    assert found[1, 4] == 0


def test_years_of_a_short_half_life_neither_overflow_nor_vanish() -> None:
    rows = pd.DataFrame({"item_id": [5, 40], "timestamp": [START, START + 10 * 365 * 86_400]})
    found = PopularityLog.build(rows, ITEMS, 60).before([[0, 1]], [START + 11 * 365 * 86_400])
    assert found[0] == pytest.approx(np.log([SMOOTH / (1 + SMOOTH), (4 + SMOOTH) / (1 + SMOOTH)]), abs=1e-6)


def test_what_was_passed_over_or_is_no_item_of_the_catalogue_does_not_count() -> None:
    rows = frame([(0, 0), (1, 0), (2, 0)]).assign(click=[1, 0, 1])
    found = PopularityLog.build(rows, ITEMS[:2], HALF).before([[0, 1]], [START + 9])
    assert found[0] == pytest.approx(np.log([(2 + SMOOTH) / (1 + SMOOTH), SMOOTH / (1 + SMOOTH)]), abs=1e-6)
