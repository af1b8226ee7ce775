from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories.feast_shop import DAY_S, START, write_shop

from recsys.data.dataset import Dataset
from recsys.features import feast_offline
from recsys.features.feast_offline import behavior_history, behavior_rows, write_part


def test_clicks_alone_make_behaviour(tmp_path: Path) -> None:
    dataset = write_shop(tmp_path / "shop")
    path = tmp_path / "shop" / "day_02.parquet"
    pd.read_parquet(path).assign(click=np.int8(0)).to_parquet(path)
    for day in (0, 1):
        other = tmp_path / "shop" / f"day_{day:02d}.parquet"
        pd.read_parquet(other).assign(click=np.int8(1)).to_parquet(other)
    dataset = Dataset.open(tmp_path / "shop")
    assert behavior_history(dataset)["timestamp"].max() <= START + 2 * DAY_S
    assert behavior_history(dataset, [2]).empty


def test_a_value_is_seen_a_second_after_its_click_and_goes_a_second_after_its_day(tmp_path: Path) -> None:
    dataset = write_shop(tmp_path / "shop")
    garden, office = (int(dataset.items["item_id"].iloc[row]) for row in (1, 2))
    times = [START, START + 50, START + 100, START + 2 * DAY_S]
    day = {"user_id": 5, "item_id": [garden, garden, office, office], "timestamp": times, "device_type": 0}
    pd.DataFrame(day).to_parquet(dataset.path / "day_00.parquet")
    history = behavior_history(Dataset.open(dataset.path), [0])
    # Garden leads; without its first click there is a tie, which the later office wins; an empty window keeps
    # what held after the last click; then comes the next click.
    seconds = [START + 1, START + DAY_S + 1, START + DAY_S + 101, START + 2 * DAY_S + 1]
    assert history["timestamp"].tolist() == seconds
    assert history["top_category"].tolist() == [1, 2, 1, 2]


def test_blocks_of_users_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = write_shop(tmp_path / "shop")
    whole = behavior_history(dataset)
    monkeypatch.setattr(feast_offline, "_EVENTS_A_BLOCK", 7)
    pd.testing.assert_frame_equal(behavior_history(dataset), whole)


def test_a_part_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = behavior_rows(pd.DataFrame({"user_id": [1], "top_category": [2], "timestamp": [START]}))
    write_part(tmp_path, "history", rows)

    def full_disk(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_part(tmp_path, "history", rows.assign(top_category=3))
    assert [path.name for path in tmp_path.glob("*.parquet")] == ["history.parquet"]
    assert pd.read_parquet(tmp_path / "history.parquet")["top_category"].tolist() == [2]
