from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import BadData
from recsys.models.policy import COLUMNS, read_log
from recsys.online.exposures import Exposure
from recsys.release.explored import first_places, policy_log

SHOWN = [
    Exposure(1, 4, 10_000, (7, 8), (0.25, 0.5), 2),
    Exposure(2, 4, 20_500, (8, 7), (0.75, 1.0)),
    Exposure(3, 4, 30_000, (9,), ()),  # not explored
    Exposure(4, 4, 30_000, (9,), (0.0,)),  # filled up
    Exposure(-1, 4, 30_000, (9,), (0.5,)),  # nobody's
]


def test_the_first_places_with_their_chances_and_what_came_of_them(tmp_path) -> None:
    clicks = {1: [(9_000, 7), (11_000, 7)], 2: [(21_000, 7), (20_500 + 1_800_001, 8)]}
    log = policy_log(SHOWN, clicks)
    assert tuple(log.columns) == COLUMNS
    assert log.to_numpy().tolist() == [[1, 7, 10, 2, 0.25, 1], [2, 8, 20, -1, 0.75, 0]]
    log.to_parquet(tmp_path / "log.parquet")
    assert len(read_log(tmp_path / "log.parquet")) == 2


def test_a_log_of_nothing_is_refused() -> None:
    with pytest.raises(BadData, match="no answer explored"):
        policy_log(SHOWN[2:], {})


ROWS = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60)


@given(ROWS, st.floats(0.001, 1))
@settings(max_examples=60, deadline=None)
def test_with_one_chance_for_all_it_is_the_plain_rate(rows: list[tuple[int, bool]], chance: float) -> None:
    log = pd.DataFrame(rows, columns=["user_id", "reward"]).assign(propensity=chance)
    found = first_places(log, resamples=50)
    assert found.answers == len(rows)
    assert found.rate == pytest.approx(log["reward"].mean())
    assert found.even == pytest.approx(found.rate)
    assert found.effective_answers == pytest.approx(len(rows))
    assert 0 <= found.low <= found.high <= 1 + 1e-9


@given(ROWS, st.floats(0.01, 1), st.integers(0, 1_000))
@settings(max_examples=30, deadline=None)
def test_it_is_within_the_rewards_and_only_the_chances_ratios_count(
    rows: list[tuple[int, bool]], scale: float, seed: int
) -> None:
    chances = np.random.default_rng(seed).uniform(0.05, 1, len(rows))
    log = pd.DataFrame(rows, columns=["user_id", "reward"]).assign(propensity=chances)
    found = first_places(log, resamples=10)
    assert 0 <= found.even <= 1
    assert first_places(log.assign(propensity=chances * scale), resamples=10).even == pytest.approx(
        found.even
    )


def test_two_that_explore_differently_over_the_same_items_are_told_to_be_equal() -> None:
    """Ten items, each clicked at its own rate: the one that draws boldly earns less, and is no worse."""
    worth = np.linspace(0.05, 0.5, 10)
    found = {}
    for name, temperature in (("bold", 1.0), ("timid", 0.2)):
        rng = np.random.default_rng(1)
        chance = np.exp(worth / temperature) / np.exp(worth / temperature).sum()
        item = rng.choice(10, 20_000, p=chance)
        reward = (rng.random(len(item)) < worth[item]).astype(float)
        users = np.arange(len(item)) // 5
        found[name] = first_places(
            pd.DataFrame({"user_id": users, "propensity": chance[item], "reward": reward}), resamples=300
        )
    assert found["timid"].rate > found["bold"].rate + 0.03
    for each in found.values():
        assert each.low < worth.mean() < each.high
        assert each.high - each.low < 0.03
    assert found["timid"].effective_answers < found["bold"].effective_answers < 20_000


def test_the_interval_knows_that_answers_of_one_user_are_alike() -> None:
    log = pd.DataFrame({"user_id": np.repeat(np.arange(20), 100), "propensity": 0.5})
    log["reward"] = (log["user_id"] < 5).astype(float)
    found = first_places(log)
    assert found.even == 0.25
    assert found.high - found.low > 0.25
