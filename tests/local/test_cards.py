from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from recsys.errors import BadData
from recsys.local.cards import ItemCards


def cards(folder: Path, **columns: list) -> ItemCards:
    pd.DataFrame(columns).to_parquet(folder / "catalogue.parquet")
    return ItemCards.load(folder)


def test_names_and_a_rounded_price(tmp_path: Path) -> None:
    known = cards(
        tmp_path,
        item_id=[2**62],
        title=["Bag"],
        price=[12.999],
        category_l1_name=["a"],
        category_l2_name=["b"],
    )
    assert known.describe(2**62) == {"title": "Bag", "category": "a / b", "price": 13.0}


def test_without_names_the_code_is_shown(tmp_path: Path) -> None:
    known = cards(tmp_path, item_id=[5], price=[1.0], category_l1=[4])
    assert known.describe(5) == {"title": None, "category": "category 4", "price": 1.0}


def test_an_item_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert cards(tmp_path, item_id=[5]).describe(6) == {"title": None, "category": None, "price": None}


@pytest.mark.parametrize("content", [None, b"", b"PAR1 nonsense"])
def test_a_damaged_catalogue_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "catalogue.parquet").write_bytes(content)
    with pytest.raises(BadData, match=r"catalogue\.parquet: cannot be read"):
        ItemCards.load(tmp_path)
