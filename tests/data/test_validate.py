"""Bad rows are set aside and counted; bad files are refused in one line."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.data import validate as module
from recsys.data.dataset import Dataset
from recsys.data.validate import validate
from recsys.errors import BadData, BadUse, RecsysError

Change = Callable[[pd.DataFrame], pd.DataFrame]


def _set(row: int, **values: object) -> Change:
    """Changes one row; a column turns to floats or objects where the value asks for it."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        for column, value in values.items():
            if value is None:
                frame[column] = frame[column].astype("Int64")
            elif isinstance(value, float):
                frame[column] = frame[column].astype(float)
            frame.loc[row, column] = value
        return frame

    return change


def _append(row: int, **values: object) -> Change:
    return lambda frame: pd.concat([frame, frame.iloc[[row]].assign(**values)], ignore_index=True)


# file, change, row set aside, reason
BAD_ROWS = [
    ("items.parquet", _set(1, price=np.nan), 1, "price: the value is missing or not finite"),
    ("items.parquet", _set(1, price=np.inf), 1, "price: the value is missing or not finite"),
    ("items.parquet", _set(2, price=-3.0), 2, "price is negative"),
    ("items.parquet", _set(2, item_id=-1), 2, "item_id is negative; -1 stands for an unknown item"),
    ("items.parquet", _set(0, category_l1=None), 0, "category_l1: the value is missing or not a whole int64"),
    ("items.parquet", _set(0, category_l2=2.5), 0, "category_l2: the value is missing or not a whole int64"),
    ("items.parquet", _set(0, category_l2=-1), 0, "category_l2 is negative"),
    ("items.parquet", _set(3, item_gender=-2), 3, "item_gender is below -1"),
    ("items.parquet", _append(3), 6, "the same row is there already"),
    ("item_descriptions.parquet", _set(4, item_id=99), 4, "item_id is not in items.parquet"),
    ("item_descriptions.parquet", _set(4, product_description=" "), 4, "product_description is empty"),
    ("item_descriptions.parquet", _append(2), 6, "the item has a description already"),
    ("users.parquet", _set(0, user_id=-1), 0, "user_id is negative"),
    ("users.parquet", _set(1, age=None), 1, "age: the value is missing"),
    ("users.parquet", _set(1, age=121), 1, "age is outside 0-120 years"),
    ("users.parquet", _set(2, gender=-2), 2, "gender is below -1"),
    ("users.parquet", _append(0, age=31), 5, "the user is there already"),
    ("day_04.parquet", _set(9, user_id=None), 9, "user_id: the value is missing"),
    ("day_04.parquet", _set(9, user_id=-1), 9, "user_id is negative"),
    ("day_04.parquet", _set(9, user_id=123), 9, "user_id is not in users.parquet"),
    ("day_04.parquet", _set(9, item_id=123), 9, "item_id is not in items.parquet"),
    ("day_04.parquet", _set(9, item_id=-7), 9, "item_id is negative"),
    ("day_04.parquet", _set(9, timestamp=-5), 9, "timestamp is negative"),
    ("day_04.parquet", _set(9, timestamp=1754352000000), 9, "timestamp is after the year 2286: milliseconds"),
    ("day_04.parquet", _set(9, timestamp=1754006500), 9, "timestamp belongs to another day's file"),
    ("day_04.parquet", _set(9, timestamp=1754784000), 9, "timestamp belongs to another day's file"),
    ("day_04.parquet", _set(9, device_type=3), 9, "device_type is not -1, 0, 1 or 2"),
    ("day_04.parquet", _set(9, device_type=None), 9, "device_type: the value is missing"),
    ("day_04.parquet", lambda f: f.assign(click=np.arange(200) // 199 * 2), 199, "click is not 0 or 1"),
    ("day_04.parquet", _append(5), 200, "the same event is there already"),
]


@pytest.mark.parametrize("case", BAD_ROWS, ids=lambda case: f"{case[0]}-{case[3]}")
def test_a_bad_row_is_set_aside_with_its_reason(spoil, tmp_path, case):
    file, change, row, reason = case
    report = validate(spoil(file, change), tmp_path / "clean")
    found = report.tables[file]
    assert sum(found.quarantined.values()) == 1
    assert found.rows == found.kept + 1
    aside = pd.read_parquet(tmp_path / "clean" / "quarantine.parquet")
    mine = aside[aside.table == file]
    assert mine["row"].tolist() == [row]
    assert mine["reason"].iloc[0].startswith(reason)
    counts = json.loads((tmp_path / "clean" / "validation.json").read_text())
    assert counts["tables"][file]["quarantined"] == {mine["reason"].iloc[0]: 1}
    assert counts["quarantined"] == len(aside)
    assert len(pd.read_parquet(tmp_path / "clean" / file)) == found.kept
    Dataset.open(tmp_path / "clean")  # the copy opens


# file, change of the table (or of the file), message after the file's path
BAD_FILES = [
    ("items.parquet", lambda f: f.drop(columns="price"), " column price: the column is missing"),
    (
        "items.parquet",
        lambda f: f.assign(item_id=f.item_id.astype(str)),
        " column item_id: holds string, not int64",
    ),
    (
        "items.parquet",
        _append(0, price=5.0),
        " column item_id row 6: item 7 is there twice with different values",
    ),
    ("items.parquet", lambda f: f.iloc[:0], ": it holds no rows"),
    ("items.parquet", lambda f: f.assign(price=np.nan), ": none of its 6 rows is good (price: the value is"),
    ("users.parquet", lambda f: f.drop(columns="user_id"), " column user_id: the column is missing"),
    ("users.parquet", lambda f: f.assign(age="old"), " column age: holds string, not int64"),
    (
        "item_descriptions.parquet",
        lambda f: f.assign(product_description=1),
        " column product_description: holds",
    ),
    ("day_02.parquet", lambda f: f.drop(columns="device_type"), " column device_type: the column is missing"),
    ("day_02.parquet", lambda f: f.iloc[:0], ": it holds no rows"),
    (
        "day_02.parquet",
        lambda f: f.assign(timestamp=f.timestamp * 1000),
        " column timestamp: not unix seconds",
    ),
    (
        "day_02.parquet",
        lambda f: f.assign(timestamp=pd.to_datetime(f.timestamp, unit="s")),
        " column timestamp: holds",
    ),
    (
        "day_02.parquet",
        lambda f: f.assign(timestamp=f.timestamp - 86400),
        " column timestamp: its events begin before",
    ),
    (
        "day_02.parquet",
        lambda f: f.assign(user_id=5),
        ": none of its 200 rows is good (user_id is not in users",
    ),
    ("day_02.parquet", lambda f: f.assign(timestamp=np.nan), ": no row has a timestamp"),
    ("day_02.parquet", lambda f: f.assign(click="yes"), " column click: holds string, not int8"),
]


@pytest.mark.parametrize(("file", "change", "message"), BAD_FILES)
def test_a_bad_file_is_refused_in_one_line(spoil, tmp_path, file, change, message):
    shop = spoil(file, change)
    with pytest.raises(BadData) as error:
        validate(shop, tmp_path / "clean")
    line = str(error.value)
    assert line.startswith(f"{shop}/{file}{message}")
    assert "\n" not in line
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shop"]  # nothing half-made is left


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize("file", ["items.parquet", "users.parquet", "day_03.parquet"])
@pytest.mark.parametrize(
    ("spoiler", "message"), [(_cut, "not a whole parquet file"), (Path.unlink, "does not exist")]
)
def test_a_truncated_or_absent_file_is_refused(shop, tmp_path, file, spoiler, message):
    spoiler(shop / file)
    if file.startswith("day") and not (shop / file).exists():
        assert validate(shop, tmp_path / "clean").missing_days == [3]
        return
    with pytest.raises(BadData, match=f"{file}: .*{message}"):
        validate(shop, tmp_path / "clean")


def test_a_good_data_set_comes_through_as_it_is(shop, tmp_path):
    (shop / "meta.json").write_text('{"seed": 7}')
    report = validate(shop, tmp_path / "clean")
    assert report.quarantined == 0
    copy, original = Dataset.open(tmp_path / "clean"), Dataset.open(shop)
    assert copy.fingerprint() == original.fingerprint()
    assert copy.meta == {"seed": 7}
    assert copy.rows(copy.days).equals(original.rows(original.days))  # unsorted files stay as they are


def test_the_record_of_a_bad_row_is_kept(spoil, tmp_path):
    shop = spoil("day_00.parquet", _set(3, device_type=9, event_type="cart"))
    validate(shop, tmp_path / "clean")
    record = json.loads(pd.read_parquet(tmp_path / "clean" / "quarantine.parquet")["record"].iloc[0])
    raw = pd.read_parquet(shop / "day_00.parquet").loc[3]
    assert record == raw.to_dict()


def test_a_user_set_aside_takes_the_events_along(spoil, tmp_path):
    shop = spoil("users.parquet", _set(0, age=500))
    report = validate(shop, tmp_path / "clean")
    raw = pd.read_parquet(shop / "day_00.parquet")
    assert report.tables["day_00.parquet"].quarantined == {
        "user_id is not in users.parquet": int((raw.user_id == 900).sum())
    }


def test_columns_that_nobody_knows_are_named(spoil, tmp_path):
    report = validate(spoil("items.parquet", lambda f: f.assign(weight=1.0)), tmp_path / "clean")
    assert report.tables["items.parquet"].ignored_columns == ["weight"]


def test_images_are_checked_and_come_along(shop, tmp_path):
    images = shop / "item_images"
    images.mkdir()
    (images / "7.jpg").write_bytes(b"\xff\xd8\xff\xe0 picture \xff\xd9")
    (images / "40.jpg").write_bytes(b"\xff\xd8\xff\xe0 pict")
    report = validate(shop, tmp_path / "clean")
    assert [p.name for p in (tmp_path / "clean" / "item_images").iterdir()] == ["7.jpg"]
    assert report.items_without_image == 5
    assert report.tables["item_images"].quarantined == {"not a whole JPEG file": 1}


def test_progress_climbs_to_one(shop, tmp_path):
    shares = []
    validate(shop, tmp_path / "clean", lambda what, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 10


def test_an_earlier_copy_is_replaced_and_nothing_else_is(shop, tmp_path):
    out = tmp_path / "clean"
    out.mkdir()
    validate(shop, out)
    (shop / "day_11.parquet").unlink()
    validate(shop, out)
    assert Dataset.open(out).days == list(range(11))
    other = tmp_path / "mine"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    with pytest.raises(BadUse, match="holds something else"):
        validate(shop, other)
    with pytest.raises(BadUse, match="cannot replace the data set"):
        validate(shop, shop)
    assert (other / "letter.txt").read_text() == "dear"


def test_an_earlier_copy_survives_a_refused_import(spoil, shop, tmp_path):
    validate(shop, tmp_path / "clean")
    spoil("day_05.parquet", lambda f: f.drop(columns="user_id"))
    with pytest.raises(BadData):
        validate(shop, tmp_path / "clean")
    assert Dataset.open(tmp_path / "clean").days == list(range(12))


def test_a_full_disk_is_one_clear_line(shop, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.tables, "write_table", full)
    with pytest.raises(RecsysError, match=r"clean: no space left on device. Free the disk"):
        validate(shop, tmp_path / "clean")
    assert not (tmp_path / "clean").exists()


def test_no_folder(tmp_path):
    shutil.rmtree(tmp_path / "none", ignore_errors=True)
    with pytest.raises(BadData, match="no such folder"):
        validate(tmp_path / "none", tmp_path / "clean")
