from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from factories.shop import make_shop
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.dataset import Dataset
from recsys.data.replay import new_and_replayed, replay_sample

_DAY_S = 86_400


def _rows(days: int, each: int = 200) -> pd.DataFrame:
    timestamp = np.repeat(np.arange(days), each) * _DAY_S + np.tile(np.arange(each), days)
    return pd.DataFrame({"timestamp": timestamp, "row": np.arange(days * each)})


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    return Dataset.open(make_shop(tmp_path / "shop", rows=50, days=range(6)))


def test_new_days_come_whole_and_older_ones_in_their_share(dataset):
    taken = new_and_replayed(dataset, [4, 5], [0, 1, 2, 3], share=0.5, half_life_days=2, seed=0)
    new = taken[~taken["replayed"]].drop(columns="replayed").reset_index(drop=True)
    pd.testing.assert_frame_equal(new, dataset.interactions([4, 5]))
    assert taken["replayed"].sum() == 50
    assert taken.loc[taken["replayed"], "day"].max() <= 3
    assert taken["timestamp"].is_monotonic_increasing


def test_older_days_that_are_gone_are_left_out(dataset):
    taken = new_and_replayed(dataset, [5], [-3, 4], share=1, half_life_days=2, seed=0)
    assert taken["day"].value_counts().to_dict() == {4: 50, 5: 50}
    alone = new_and_replayed(dataset, [0], [], share=1, half_life_days=2, seed=0)
    assert (len(alone), alone["replayed"].any()) == (50, False)


def test_newer_rows_are_likelier_by_the_half_life():
    drawn = [replay_sample(_rows(9), 180, 2.0, seed)["timestamp"] // _DAY_S for seed in range(60)]
    share = np.mean([np.bincount(days, minlength=9) for days in drawn], axis=0)
    assert (np.diff(share) > 0).all()
    assert share[6] / share[4] == pytest.approx(2.0, rel=0.3)


def test_a_row_of_long_ago_makes_no_number_overflow():
    rows = pd.DataFrame({"timestamp": [0, 4_000_000_000, 4_000_000_001]})
    assert replay_sample(rows, 2, 0.01, seed=0).index.tolist() == [1, 2]


@settings(max_examples=40, deadline=None)
@given(count=st.integers(0, 500), half_life=st.floats(0.01, 100), seed=st.integers(0, 2**32 - 1))
def test_each_row_once_in_order_and_the_same_again(count: int, half_life: float, seed: int):
    rows = _rows(4, each=50)
    drawn = replay_sample(rows, count, half_life, seed)
    assert len(drawn) == min(count, len(rows))
    assert drawn["row"].is_monotonic_increasing
    assert drawn["row"].is_unique
    pd.testing.assert_frame_equal(drawn, replay_sample(rows, count, half_life, seed))
