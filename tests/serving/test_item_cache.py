"""The item cache: whole refreshes, the release's values where Feast has none, old values marked."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from factories.clock import Clock

from recsys.errors import Unavailable
from recsys.features.online_store import ItemFeatures
from recsys.features.popularity import SMOOTH
from recsys.serving.item_cache import ItemCache

COLUMNS = {
    "item_id": np.array([7, 8, 9]),
    "price": np.array([1, 2, 3], np.float32),
    "category_l1": np.array([0, 1, 2]),
    "category_l2": np.array([3, 4, 5]),
    "item_gender": np.array([0, 0, 1]),
}


class Reader:
    """Feast's store with a value for all but item 9."""

    def __init__(self) -> None:
        self.down = False
        self.price = 10.0
        self.read_again = threading.Event()

    def read(self, item_ids: np.ndarray) -> ItemFeatures:
        if self.down:
            raise Unavailable("store", "down", "wait")
        found = item_ids != 9
        prices = np.where(found, self.price + item_ids, np.nan).astype(np.float32)
        codes = np.where(found, 20, -1)
        if self.price > 10:
            self.read_again.set()
        return ItemFeatures(prices, codes, codes + 0, codes + 0, found)


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_without_a_store_the_release_serves() -> None:
    cache = ItemCache(COLUMNS, None)
    assert not cache.refresh(1)
    assert not cache.values.from_feast.any()
    assert cache.values.columns["price"].tolist() == [1, 2, 3]


def test_feasts_values_and_the_releases_where_there_are_none(reader: Reader) -> None:
    cache = ItemCache(COLUMNS, reader)
    assert cache.refresh(1)
    values = cache.values
    assert values.columns["price"].tolist() == [17, 18, 3]
    assert values.columns["category_l1"].tolist() == [20, 20, 2]
    assert values.from_feast.tolist() == [True, True, False]
    assert {name: column.dtype for name, column in values.columns.items()} == {
        name: column.dtype for name, column in COLUMNS.items()
    }
    assert COLUMNS["price"].tolist() == [1, 2, 3]


def test_values_survive_a_fault_and_are_marked_once_old(reader: Reader) -> None:
    clock = Clock()
    cache = ItemCache(COLUMNS, reader, clock)
    cache.refresh(10)
    reader.down = True
    clock.now = 30
    assert not cache.refresh(10)
    assert cache.values.from_feast.any()
    clock.now = 31
    assert not cache.refresh(10)
    assert not cache.values.from_feast.any()
    assert cache.values.columns["price"].tolist() == [17, 18, 3]
    reader.down = False
    assert cache.refresh(10)
    assert cache.values.from_feast.tolist() == [True, True, False]


def test_the_thread_reads_again_and_ends(reader: Reader) -> None:
    cache = ItemCache(COLUMNS, reader)
    others = set(threading.enumerate())
    cache.start(0.01)
    started = [thread for thread in set(threading.enumerate()) - others if thread.name == "item-cache"]
    reader.price = 100.0
    assert reader.read_again.wait(10)
    cache.close()
    assert cache.refresh(1)
    assert cache.values.columns["price"].tolist() == [107, 108, 3]
    assert [thread.is_alive() for thread in started] == [False]


def test_a_store_that_is_down_at_the_start_is_tried_again(reader: Reader) -> None:
    reader.down = True
    cache = ItemCache(COLUMNS, reader)
    cache.start(0.01)
    assert not cache.values.from_feast.any()
    reader.price, reader.down = 100.0, False
    assert reader.read_again.wait(10)
    cache.close()


def test_it_counts_its_reads_and_knows_when_the_last_one_was(reader: Reader) -> None:
    cache = ItemCache(COLUMNS, reader, clock=Clock(), wall=lambda: 1_000.0)
    assert (cache.refreshes, cache.read_at) == ({"read": 0, "failed": 0}, 0.0)
    cache.refresh(1)
    reader.down = True
    cache.refresh(1)
    assert (cache.refreshes, cache.read_at) == ({"read": 1, "failed": 1}, 1_000.0)


class Popular:
    """Today's counts: item 7 has three times those of item 9, item 8 none, and an unknown item many."""

    def log_counts(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array([12345, 9, 7]), np.array([80.0, 50.0, 50.0 + np.log2(3)])


def test_popularity_is_that_of_the_releases_items_beside_each_other(reader: Reader) -> None:
    cache = ItemCache(COLUMNS, reader, popular=Popular())
    assert cache.values.popularity.tolist() == [0, 0, 0]
    cache.refresh(1)
    shares = np.array([3, 0, 1]) * 3 / 4
    expected = np.log((shares + SMOOTH) / (1 + SMOOTH))
    assert cache.values.popularity == pytest.approx(expected, abs=1e-6)
    assert cache.values.popularity.dtype == np.float32
    reader.down = True
    cache.refresh(1)
    assert cache.values.popularity == pytest.approx(expected, abs=1e-6)


def test_an_empty_store_says_nothing_of_popularity(reader: Reader) -> None:
    class Nothing:
        def log_counts(self) -> tuple[np.ndarray, np.ndarray]:
            return np.empty(0, np.int64), np.empty(0)

    cache = ItemCache(COLUMNS, reader, popular=Nothing())
    cache.refresh(1)
    assert cache.values.popularity.tolist() == [0, 0, 0]
