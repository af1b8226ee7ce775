from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys import schema
from recsys.errors import BadData, BadUse
from recsys.online.catalogue import Catalogue, Catalogues
from recsys.online.rules import Rules

from .conftest import ShopHome


@pytest.fixture
def catalogue(shop_home: ShopHome) -> Catalogue:
    found = Catalogues(shop_home.path / "releases").current()
    assert found is not None
    return found


def test_indexes_are_the_rows_of_ids_in_any_order(catalogue: Catalogue, shop_home: ShopHome) -> None:
    ids = shop_home.item_ids[[7, 0, 39, 7]]
    assert catalogue.indexes(ids).tolist() == [7, 0, 39, 7]
    assert catalogue.indexes(np.array([-1, 2**63 - 1, -(2**63), 1001])).tolist() == [-1] * 4
    assert catalogue.indexes(np.array([], dtype=np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("category", "count"), [(2, 10), ("Main 2", 10), ("MAIN 2", 10), ("sub 2", 5), (9, 0), ("Main", 0)]
)
def test_a_category_by_number_or_by_name(catalogue: Catalogue, category: int | str, count: int) -> None:
    assert catalogue.category_mask(category).sum() == count


def test_without_rules_everything_is_allowed(catalogue: Catalogue) -> None:
    assert Rules().allowed(catalogue) is None


def test_rules_add_up(catalogue: Catalogue, shop_home: ShopHome) -> None:
    left_out = (int(shop_home.item_ids[2]), 123_456)
    allowed = Rules(category=2, in_stock_only=True, exclude=left_out).allowed(catalogue)
    assert np.flatnonzero(allowed).tolist() == [n for n in range(40) if n % 4 == 2 and n % 5 and n != 2]


def test_without_stock_figures_all_is_in_stock(catalogue: Catalogue) -> None:
    assert Rules(in_stock_only=True).allowed(replace(catalogue, stock=None)).all()


def test_the_last_releases_stay_in_memory(shop_home: ShopHome) -> None:
    root = shop_home.path / "releases"
    for number in (2, 3, 4):
        shutil.copytree(root / "1", root / str(number))
    catalogues = Catalogues(root)
    first = catalogues.of(1)
    assert catalogues.of(1) is first
    for number in (2, 3, 4):
        assert catalogues.of(number).release == number
    assert catalogues.of(1) is not first


@pytest.mark.parametrize("name", [schema.CATALOGUE_FILE, schema.POPULARITY_FILE])
@pytest.mark.parametrize("content", [None, b"", b"not this"])
def test_a_damaged_release_is_refused(shop_home: ShopHome, name: str, content: bytes | None) -> None:
    path: Path = shop_home.path / "releases" / "1" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(BadData):
        Catalogues(shop_home.path / "releases").of(1)


def test_a_catalogue_that_does_not_fit_is_refused(shop_home: ShopHome) -> None:
    np.save(shop_home.path / "releases" / "1" / schema.POPULARITY_FILE, np.zeros(3, np.float32))
    with pytest.raises(BadData, match="do not fit"):
        Catalogues(shop_home.path / "releases").of(1)
    with pytest.raises(BadUse):
        Catalogues(shop_home.path / "releases").of(7)
