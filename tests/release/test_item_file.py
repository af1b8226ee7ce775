from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories.item_release import new_items

from recsys.errors import BadData, BadUse
from recsys.release.item_file import read_item_file


def _written(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_both_formats_say_the_same(tmp_path: Path, suffix: str) -> None:
    frame = new_items(sku=["007", "1e5", ""], current_stock=[1, 0, 5], colour="red")
    found = read_item_file(_written(frame, tmp_path / f"items{suffix}"))
    assert found.items["sku"].tolist() == ["007", "1e5", ""]
    assert found.items["price"].dtype == np.float32
    assert found.ids.tolist() == frame["item_id"].tolist()
    assert "colour" not in found.items
    assert found.descriptions is not None
    assert found.fingerprint() == read_item_file(_written(frame, tmp_path / "again.parquet")).fingerprint()


def test_pictures_count_for_what_the_file_is(tmp_path: Path) -> None:
    path, images = _written(new_items(), tmp_path / "items.csv"), tmp_path / "images"
    images.mkdir()
    without = read_item_file(path, images)
    assert without.pictures == (None, None, None)
    seen = {without.fingerprint()}
    picture = images / f"{without.ids[1]}.jpg"
    for content in (b"one", b"two"):
        picture.write_bytes(content)
        found = read_item_file(path, images)
        assert found.pictures == (None, picture, None)
        seen.add(found.fingerprint())
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"price": [1.0, None, 3.0]}, r"column price row 1: the value is missing"),
        ({"price": [1.0, 2.0, -3.0]}, r"row 2: price is negative"),
        ({"item_id": [5, 5, 6]}, r"item 5 is there twice"),
        ({"item_id": [5, -1, 6]}, r"row 1: item_id is negative"),
        ({"category_l1": ["a", "b", "c"]}, r"column category_l1( row 0: holds 'a'|: holds .*string)"),
        ({"item_gender": [0.5, 1, 2]}, r"column item_gender row 0"),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_bad_rows_are_named_and_nothing_is_added(
    tmp_path: Path, change: dict[str, Any], said: str, suffix: str
) -> None:
    path = _written(new_items(**change), tmp_path / f"items{suffix}")
    with pytest.raises(BadData, match=said) as raised:
        read_item_file(path)
    assert str(path) in str(raised.value)


def test_a_word_among_numbers_is_named(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    _written(new_items(price=["1.5", "", "cheap"]), path)
    with pytest.raises(BadData, match=r"column price row 2: holds 'cheap', which is no number"):
        read_item_file(path)


def test_missing_column_and_empty_file(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="column price: the column is missing"):
        read_item_file(_written(new_items().drop(columns="price"), tmp_path / "items.csv"))
    with pytest.raises(BadData, match="holds no items"):
        read_item_file(_written(new_items().head(0), tmp_path / "items.parquet"))


def test_what_is_no_item_file(tmp_path: Path) -> None:
    (tmp_path / "items.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadData, match="not a whole parquet file"):
        read_item_file(tmp_path / "items.parquet")
    with pytest.raises(BadUse, match=r"neither \.parquet nor \.csv"):
        read_item_file(tmp_path / "items.xlsx")
    with pytest.raises(BadUse, match="no such file"):
        read_item_file(tmp_path / "none.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(BadData, match="not a CSV file"):
        read_item_file(tmp_path / "empty.csv")
    path = _written(new_items(), tmp_path / "items.csv")
    with pytest.raises(BadUse, match="no such folder"):
        read_item_file(path, tmp_path / "pictures")
