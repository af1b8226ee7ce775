"""One part's model: its files, and its answers against the index in this process."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest

from recsys.errors import BadUse, Unavailable
from recsys.index import build
from recsys.index.shard_model import ALLOWED, ITEMS, QUERIES, SCORES, TOP, answer, sizes_of
from recsys.index.sharded import build_sharded
from recsys.index.triton_part import TritonPart, scattered
from recsys.schema import INDEX_FILE, NO_ITEM

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(21, 64)).astype(np.float32)
USERS = RNG.normal(size=(3, 64)).astype(np.float32)


def top(k: int) -> np.ndarray:
    return np.full((3, 1), k, np.int32)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "releases" / "7"
    folder.mkdir(parents=True)
    build(VECTORS).save(folder)
    return folder


def test_it_answers_like_the_index() -> None:
    index = build(VECTORS)
    found = answer(index, {QUERIES: USERS, TOP: top(5)})
    scores, items = index.search(USERS, 5)
    assert np.array_equal(found[SCORES], scores)
    assert np.array_equal(found[ITEMS], items)


def test_masks_travel_as_bits() -> None:
    index, allowed = build(VECTORS), RNG.random((3, 21)) < 0.5
    packed = np.packbits(allowed, axis=1, bitorder="little")
    found = answer(index, {QUERIES: USERS, TOP: top(21), ALLOWED: packed})
    assert np.array_equal(found[ITEMS], index.search(USERS, 21, allowed)[1])
    with pytest.raises(BadUse, match="21 items"):
        answer(index, {QUERIES: USERS, TOP: top(21), ALLOWED: packed[:, :2]})


def test_given_items_are_scored() -> None:
    index, items = build(VECTORS), np.array([[0, 20, NO_ITEM]] * 3)
    found = answer(index, {QUERIES: USERS, TOP: top(0), ITEMS: items})
    assert np.array_equal(found[SCORES], index.inner_products(USERS, items))
    with pytest.raises(BadUse, match="holds 21"):
        answer(index, {QUERIES: USERS, TOP: top(0), ITEMS: items + 1})


def test_who_asks_needs_the_index_s_description_alone(release: Path) -> None:
    (release / INDEX_FILE).unlink()
    assert sizes_of(release, 2) == [11, 10]


def test_another_number_of_parts_than_a_release_has_is_refused(tmp_path: Path) -> None:
    build_sharded(VECTORS, 3).save(tmp_path)
    assert sizes_of(tmp_path, 3) == [7, 7, 7]
    with pytest.raises(BadUse, match="has 3"):
        sizes_of(tmp_path, 2)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        part = TritonPart(address, timeout_s=5)
        with pytest.raises(Unavailable, match=address):
            part.search(USERS, 3)
        with pytest.raises(Unavailable):
            part.inner_products(USERS, np.zeros((3, 1), np.int64))
        both = scattered([address, address], [11, 10], timeout_s=5)
        with pytest.raises(Unavailable, match="index part 0, 1"):
            both.search(USERS, 3)
        assert np.isneginf(both.inner_products(USERS, np.zeros((3, 1), np.int64))).all()
        both.close()
