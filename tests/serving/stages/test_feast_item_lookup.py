"""Item values: Feast's where it has them, the release's else, and never another item's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recsys import schema
from recsys.schema import Degraded
from recsys.serving.catalogue import Catalogue
from recsys.serving.item_cache import ItemCache, ItemValues
from recsys.serving.stages.feast_item_lookup import FeastItemLookup, load

COLUMNS = {
    "item_id": np.array([70, 80, 90]),
    "price": np.array([1, 2, 3], np.float32),
    "category_l1": np.array([4, 5, 6]),
    "category_l2": np.array([7, 8, 9]),
    "item_gender": np.array([0, 1, 2]),
}


def lookup(from_feast: list[bool]) -> FeastItemLookup:
    cache = ItemCache(COLUMNS, None)
    cache.values = ItemValues(COLUMNS, np.array(from_feast), np.array([0.5, -1, 2], np.float32))
    return FeastItemLookup(Catalogue(COLUMNS["item_id"]), cache)


def test_each_item_its_own_values_and_none_for_a_pad() -> None:
    out = lookup([True] * 3).run({"items": np.array([[2, 0, -1], [1, 3, 2**40]])})
    assert out["item_id"].tolist() == [[90, 70, -1], [80, -1, -1]]
    assert out["price"].tolist() == [[3, 1, 0], [2, 0, 0]]
    assert out["category_l1"].tolist() == [[6, 4, -1], [5, -1, -1]]
    assert out["item_gender"].tolist() == [[2, 0, -1], [1, -1, -1]]
    assert out["price"].dtype == np.float32
    assert out["item_popularity"].tolist() == [[2, 0.5, 0], [-1, 0, 0]]
    assert out["item_popularity"].dtype == np.float32
    assert out["item_flags"].tolist() == [[0], [0]]


def test_the_bit_says_whose_answer_holds_a_value_of_the_release() -> None:
    out = lookup([True, False, True]).run({"items": np.array([[2, 0, -1], [1, 0, -1], [-1, -1, -1]])})
    assert out["item_flags"].tolist() == [[0], [Degraded.ITEM_FEATURES], [0]]


def test_it_counts_whose_values_it_served() -> None:
    stage = lookup([True, False, True])
    stage.run({"items": np.array([[2, 0, -1], [1, 0, -1]])})
    stage.run({"items": np.array([[1, -1, -1]])})
    found = {(each.name, each.labels): each.value for each in stage.measurements()}
    served = "recsys_item_cache_items_total"
    assert found[served, (("source", "feast"),)] == 3
    assert found[served, (("source", "release"),)] == 2
    assert found["recsys_item_cache_read_timestamp_seconds", ()] == 0


def test_without_a_store_the_release_serves(release: Path) -> None:
    stage = load(release, {"item_refresh_s": "60"}, None)
    out = stage.run({"items": np.array([[0, 5]])})
    assert out["item_id"][0].tolist() == np.load(release / schema.ITEM_IDS_FILE)[[0, 5]].tolist()
    assert out["item_flags"].tolist() == [[Degraded.ITEM_FEATURES]]
    assert out["item_popularity"].tolist() == [[0, 0]]
    stage.close()
