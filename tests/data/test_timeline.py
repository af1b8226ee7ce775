"""Days read block by block are the days read at once."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.data.dataset import Dataset
from recsys.data.timeline import blocks_in_time, past_clicks
from recsys.errors import BadUse
from tests.data.conftest import DAY_S, FIRST, Spoil


def overlapping(frame: pd.DataFrame) -> pd.DataFrame:
    """Times out of order that reach from the day before into the one after, with ties."""
    draw = np.random.default_rng(len(frame))
    late = frame["timestamp"] + draw.integers(-DAY_S // 8, DAY_S // 8, len(frame))
    return frame.assign(timestamp=late // 600 * 600)


def test_blocks_together_are_the_interactions_and_follow_each_other(shop: Path, spoil: Spoil) -> None:
    for day in range(12):
        spoil(f"day_{day:02d}.parquet", overlapping)
    dataset = Dataset.open(shop)
    days = [0, 1, 2, 5, 6]
    blocks = list(blocks_in_time(dataset, days))
    expected = dataset.interactions(days)
    pd.testing.assert_frame_equal(pd.concat(blocks, ignore_index=True), expected)
    assert len(blocks) == len(days)
    assert all(len(block) < len(expected) for block in blocks)
    for one, following in itertools.pairwise(blocks):
        assert one["timestamp"].max() < following["timestamp"].min()


def test_days_far_out_of_order_are_one_block(shop: Path, spoil: Spoil) -> None:
    spoil("day_11.parquet", lambda frame: frame.assign(timestamp=FIRST))
    dataset = Dataset.open(shop)
    blocks = list(blocks_in_time(dataset, dataset.days))
    pd.testing.assert_frame_equal(pd.concat(blocks, ignore_index=True), dataset.interactions(dataset.days))


def test_a_column_that_a_later_day_lacks_is_in_no_block(shop: Path, spoil: Spoil) -> None:
    spoil("day_03.parquet", lambda frame: frame.drop(columns="event_type"))
    dataset = Dataset.open(shop)
    for block in blocks_in_time(dataset, [1, 2, 3]):
        assert "event_type" not in block
    assert "event_type" in next(blocks_in_time(dataset, [1, 2]))


def test_days_that_are_not_there_are_refused(shop: Path) -> None:
    dataset = Dataset.open(shop)
    with pytest.raises(BadUse, match="day 40"):
        next(blocks_in_time(dataset, [1, 40]))
    with pytest.raises(BadUse, match="none was given"):
        next(blocks_in_time(dataset, []))


def test_past_clicks_are_the_clicked_rows(shop: Path, spoil: Spoil) -> None:
    for day in range(12):
        spoil(f"day_{day:02d}.parquet", lambda frame: overlapping(frame).assign(click=np.arange(200) % 2))
    dataset = Dataset.open(shop)
    whole = dataset.interactions([0, 1, 2])
    expected = whole[whole["click"] == 1][["user_id", "item_id", "timestamp"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(past_clicks(dataset, [0, 1, 2]), expected)
