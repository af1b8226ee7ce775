"""The catalogue's arrays, and what a damaged release is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from recsys import schema
from recsys.errors import BadData
from recsys.serving.catalogue import Catalogue, Popularity, load_array


@pytest.fixture
def copy(release: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(release, tmp_path / "copy"))


def test_decode_never_answers_with_another_item() -> None:
    catalogue = Catalogue(np.array([50, -3, 2**40]))
    items = np.array([[0, 2, -1], [3, -7, 1]])
    assert catalogue.decode(items).tolist() == [[50, 2**40, -1], [-1, -1, -3]]
    assert catalogue.holds(items).tolist() == [[True, True, False], [False, False, True]]


def test_popular_first_then_pads() -> None:
    items, scores = Popularity(np.array([1, 5, 3], np.float32)).top(5)
    assert items.tolist() == [1, 2, 0, -1, -1]
    assert scores[:3].tolist() == pytest.approx(np.log1p([5, 3, 1]))
    assert np.isneginf(scores[3:]).all()


def test_the_columns_of_a_release(release: Path) -> None:
    catalogue = Catalogue.load(release)
    columns = catalogue.features(release)
    assert list(columns) == list(schema.ITEM_RAW)
    assert columns["price"].dtype == np.float32
    assert np.array_equal(columns["item_id"], catalogue.item_ids)


def test_missing_damaged_and_wrong_files_are_named_in_one_line(copy: Path) -> None:
    path = copy / schema.POPULARITY_FILE
    with pytest.raises(BadData, match=r"popularity\.npy: holds float32 \[120\], not float32 \[7\]"):
        Popularity.load(copy, items=7)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(BadData, match=r"popularity\.npy: cannot be read"):
        Popularity.load(copy, items=120)
    path.unlink()
    with pytest.raises(BadData, match=r"popularity\.npy: cannot be read"):
        Popularity.load(copy, items=120)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BadData, match="cannot be read"):
        load_array(path, np.dtype("int64"))


def test_ids_that_occur_twice_are_refused(copy: Path) -> None:
    np.save(copy / schema.ITEM_IDS_FILE, np.array([1, 2, 1]))
    with pytest.raises(BadData, match="occurs twice"):
        Catalogue.load(copy)


def test_features_of_another_catalogue_are_refused(copy: Path) -> None:
    ids = np.load(copy / schema.ITEM_IDS_FILE)
    np.save(copy / schema.ITEM_IDS_FILE, ids[::-1])
    with pytest.raises(BadData, match="not in the order"):
        Catalogue.load(copy).features(copy)
    (copy / schema.ITEM_FEATURES_FILE).write_bytes(b"PK")
    with pytest.raises(BadData, match="cannot be read"):
        Catalogue.load(copy).features(copy)
