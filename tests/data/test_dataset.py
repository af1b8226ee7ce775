from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import BadData, BadUse


def test_narrow_ids_come_out_in_the_schemas_dtypes(spoil):
    spoil("users.parquet", lambda f: f.assign(user_id=[1, 2, 3, 4, 5]).astype("int32"))
    narrow = {"user_id": "int32", "item_id": "int64", "device_type": "int16"}
    shop = spoil("day_00.parquet", lambda f: f.assign(user_id=1).astype(narrow))
    dataset = Dataset.open(shop)
    assert dataset.users.dtypes.to_dict() == schema.USER_COLUMNS
    assert {c: dataset.items[c].dtype for c in schema.ITEM_COLUMNS} == schema.ITEM_COLUMNS
    frame = dataset.interactions([0])
    assert {c: frame[c].dtype for c in schema.DAY_COLUMNS} == schema.DAY_COLUMNS
    assert frame["day"].dtype == np.int64


def test_sparse_and_huge_ids_survive(shop):
    dataset = Dataset.open(shop)
    assert dataset.items["item_id"].tolist() == [7, 2**62, 40, 5, 1000, 12]
    assert 2**53 + 1 in dataset.interactions(dataset.days)["user_id"].unique()


def test_interactions_sort_by_time_and_keep_the_files_order_in_ties(spoil):
    times = np.repeat([1754006500, 1754006400], 100)
    shop = spoil("day_00.parquet", lambda f: f.assign(timestamp=times))
    raw = pd.read_parquet(shop / "day_00.parquet")
    frame = Dataset.open(shop).interactions([0])
    expected = raw.sort_values("timestamp", kind="stable")["item_id"].tolist()
    assert frame["item_id"].tolist() == expected
    assert Dataset.open(shop).rows([0])["item_id"].tolist() == raw["item_id"].tolist()


def test_days_are_read_in_order_whatever_order_they_are_asked_in(shop):
    dataset = Dataset.open(shop)
    assert dataset.interactions([2, 0]).equals(dataset.interactions([0, 2]))
    assert dataset.interactions([2, 0])["day"].unique().tolist() == [0, 2]


def test_optional_columns_are_kept_where_all_days_have_them(spoil):
    shop = spoil("day_00.parquet", lambda f: f.assign(click=1))
    dataset = Dataset.open(shop)
    assert dataset.interactions([0])["click"].dtype == np.int8
    assert "click" not in dataset.interactions([0, 1])
    assert set(dataset.interactions([1])["event_type"]) == {"view"}


def test_a_day_that_is_not_there_is_bad_use(shop):
    with pytest.raises(BadUse, match=r"day 99: .* It holds days 0-11"):
        Dataset.open(shop).interactions([99])
    with pytest.raises(BadUse, match="none was given"):
        Dataset.open(shop).interactions([])


def test_image_path(shop):
    (shop / "item_images").mkdir()
    (shop / "item_images" / "7.jpg").write_bytes(b"x")
    dataset = Dataset.open(shop)
    assert dataset.image_path(7) == shop / "item_images" / "7.jpg"
    assert dataset.image_path(40) is None


def test_fingerprint_is_over_content_alone(shop, tmp_path):
    first = Dataset.open(shop).fingerprint()
    for file in shop.glob("*.parquet"):
        pd.read_parquet(file).to_parquet(file, compression="gzip")
        os.utime(file, (1, 1))
    moved = shop.rename(tmp_path / "elsewhere")
    assert Dataset.open(moved).fingerprint() == first


@pytest.mark.parametrize(
    ("file", "column"), [("items.parquet", "price"), ("users.parquet", "age"), ("day_03.parquet", "item_id")]
)
def test_fingerprint_changes_with_one_value(spoil, shop, file, column):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[0, column] = frame.loc[1, column] + 1
        return frame

    before = Dataset.open(shop).fingerprint()
    assert Dataset.open(spoil(file, change)).fingerprint() != before


def test_fingerprint_changes_with_an_image(shop):
    (shop / "item_images").mkdir()
    image = shop / "item_images" / "7.jpg"
    image.write_bytes(b"x")
    before = Dataset.open(shop).fingerprint()
    image.write_bytes(b"y")
    assert Dataset.open(shop).fingerprint() != before


def test_meta_is_empty_without_a_file_and_refused_when_broken(shop):
    assert Dataset.open(shop).meta == {}
    (shop / "meta.json").write_text(json.dumps({"users": 5}))
    assert Dataset.open(shop).meta == {"users": 5}
    (shop / "meta.json").write_text("{")
    with pytest.raises(BadData, match="not JSON"):
        Dataset.open(shop)


def test_opening_names_file_column_and_row(spoil):
    shop = spoil("items.parquet", lambda f: f.assign(price=[1, 2, np.nan, 4, 5, 6]))
    with pytest.raises(BadData) as error:
        Dataset.open(shop)
    assert str(error.value) == (
        f"{shop}/items.parquet column price row 2: the value is missing or not finite. "
        "Run `recsys data validate` to set bad rows aside."
    )


def test_a_duplicate_item_is_refused(spoil):
    shop = spoil("items.parquet", lambda f: pd.concat([f, f.iloc[:1]]))
    with pytest.raises(BadData, match=r"items.parquet column item_id row 6: item_id 7 is there twice"):
        Dataset.open(shop)


def test_no_folder_and_no_days(tmp_path: Path, shop: Path):
    with pytest.raises(BadData, match="no such folder"):
        Dataset.open(tmp_path / "nothing")
    for file in shop.glob("day_*"):
        file.unlink()
    with pytest.raises(BadData, match=r"no day_NN\.parquet"):
        Dataset.open(shop)
