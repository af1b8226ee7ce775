from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from factories.shop import make_shop

from recsys.data.dataset import Dataset
from recsys.errors import BadData, RecsysError
from recsys.local.shop_data import import_data, imported


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    make_shop(tmp_path / "shop", users=10, items=20, rows=50)
    return tmp_path / "shop"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def spoil(shop: Path) -> None:
    users = pd.read_parquet(shop / "users.parquet")
    users.loc[0, "age"] = -5
    users.to_parquet(shop / "users.parquet")


def test_the_copy_is_clean(shop: Path, home: Path) -> None:
    spoil(shop)
    copy = import_data(shop, home)
    assert copy == imported(home) == home / "data"
    assert len(Dataset.open(copy).users) == 9


def test_the_same_content_is_not_read_again(shop: Path, home: Path) -> None:
    told: list[str] = []
    import_data(shop, home, lambda what, _: told.append(what))
    assert told
    told.clear()
    shop.rename(shop.with_name("moved"))
    import_data(shop.with_name("moved"), home, lambda what, _: told.append(what))
    assert told == []


def test_other_content_replaces_the_copy(shop: Path, home: Path) -> None:
    import_data(shop, home)
    spoil(shop)
    assert len(Dataset.open(import_data(shop, home)).users) == 9


def test_the_copy_itself_may_be_given(shop: Path, home: Path) -> None:
    copy = import_data(shop, home)
    assert import_data(copy, home) == copy


def test_bad_data_leaves_no_stamp(shop: Path, home: Path) -> None:
    import_data(shop, home)
    content = (shop / "items.parquet").read_bytes()
    (shop / "items.parquet").write_bytes(content[:100])
    with pytest.raises(BadData, match=r"items\.parquet"):
        import_data(shop, home)
    (shop / "items.parquet").write_bytes(content)
    assert len(Dataset.open(import_data(shop, home)).items) == 20


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path, home: Path) -> None:
    with pytest.raises(BadData, match="there is no such folder"):
        import_data(tmp_path / "missing", home)


def test_before_the_first_import_one_line_says_what_to_do(home: Path) -> None:
    with pytest.raises(
        RecsysError, match=r"data: no data yet\. Run `recsys pipeline run full --data DIR` first"
    ):
        imported(home)
