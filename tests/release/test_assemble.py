from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories.release import make_release
from factories.shop import FIRST_SECOND, make_shop

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import BadData
from recsys.features.behavior import top_category
from recsys.release.assemble import REQUIRED, assemble, popularity, write_feast_sources

_FROM_DATA = {
    schema.ITEM_IDS_FILE,
    schema.ITEM_FEATURES_FILE,
    schema.POPULARITY_FILE,
    schema.CATALOGUE_FILE,
}


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset.open(make_shop(tmp_path / "shop", days=range(3)))


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """The files of a whole release in two folders, without those that come from the data."""
    whole = make_release(tmp_path / "whole")
    halves = [tmp_path / "half0", tmp_path / "half1"]
    for i, path in enumerate(sorted(whole.iterdir())):
        if path.name not in _FROM_DATA:
            halves[i % 2].mkdir(exist_ok=True)
            path.rename(halves[i % 2] / path.name)
    return halves


def test_release_holds_all_that_serving_needs(dataset: Dataset, parts: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assemble(dataset, [0, 1], parts, out)
    assert set(REQUIRED) <= {p.name for p in out.iterdir()}
    ids = np.load(out / schema.ITEM_IDS_FILE)
    np.testing.assert_array_equal(ids, dataset.items["item_id"])
    with np.load(out / schema.ITEM_FEATURES_FILE) as raw:
        np.testing.assert_array_equal(raw["item_id"], ids)
        assert raw["price"].dtype == np.float32
    shown = pd.read_parquet(out / schema.CATALOGUE_FILE)
    assert {"item_id", "title", "category_l1_name", "price"} <= set(shown)
    np.testing.assert_array_equal(shown["item_id"], ids)


@pytest.mark.parametrize("name", sorted(set(REQUIRED) - _FROM_DATA))
def test_missing_file_is_named(dataset: Dataset, parts: list[Path], tmp_path: Path, name: str) -> None:
    for part in parts:
        (part / name).unlink(missing_ok=True)
    with pytest.raises(BadData, match=name):
        assemble(dataset, [0, 1], parts, tmp_path / "out")


def test_two_parts_with_one_name_are_refused(dataset: Dataset, parts: list[Path], tmp_path: Path) -> None:
    for part in parts:
        (part / "notes.txt").write_text("x")
    with pytest.raises(BadData, match="another step made a file of this name"):
        assemble(dataset, [0, 1], parts, tmp_path / "out")


def test_popularity_counts_only_the_days_asked_for(dataset: Dataset) -> None:
    counts = popularity(dataset, [1])
    assert (counts.dtype, counts.sum()) == (np.float32, 400)
    day = dataset.interactions([1])["item_id"]
    for index in (0, 7, 39):
        assert counts[index] == (day == dataset.items["item_id"][index]).sum()
    assert counts.min() == 0


def test_feast_rows_are_of_the_end_of_the_window(dataset: Dataset, tmp_path: Path) -> None:
    write_feast_sources(dataset, [0, 1], tmp_path)
    end = pd.Timestamp(dataset.interactions([1])["timestamp"].max() + 1, unit="s", tz="UTC")
    users = pd.read_parquet(tmp_path / "user_features.parquet")
    items = pd.read_parquet(tmp_path / "item_features.parquet")
    assert (len(users), len(items)) == (len(dataset.users), len(dataset.items))
    assert set(users["event_timestamp"]) == set(items["event_timestamp"]) == {end}
    behavior = pd.read_parquet(tmp_path / "user_behavior_features.parquet")
    assert behavior["user_id"].is_unique
    assert behavior["event_timestamp"].max() <= end

    clicks = dataset.interactions([0, 1])
    category = dataset.items.set_index("item_id")["category_l1"][clicks["item_id"]].to_numpy()
    users_seen = np.unique(clicks["user_id"])
    now = np.full(len(users_seen), int(end.timestamp()))
    expected = top_category(
        np.concatenate([clicks["user_id"], users_seen]),
        np.concatenate([clicks["timestamp"], now]),
        np.concatenate([category, np.zeros(len(users_seen), np.int64)]),
        np.arange(len(clicks) + len(users_seen)) < len(clicks),
    )[len(clicks) :]
    found = behavior.set_index("user_id")["top_category"][users_seen]
    np.testing.assert_array_equal(found, expected)
    assert end.timestamp() > FIRST_SECOND
