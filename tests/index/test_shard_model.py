"""One part's model: its files, and its answers against the index in this process."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest

from recsys.errors import BadUse, Unavailable
from recsys.index import Index, build
from recsys.index.shard_model import ALLOWED, ITEMS, MODEL, QUERIES, SCORES, TOP, answer, main, sizes_of
from recsys.index.sharded import FOLDER, SIZES_FILE, build_sharded
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


def test_the_parts_of_a_release_are_written_and_are_all_of_it(release: Path, tmp_path: Path) -> None:
    read = []
    for shard in (0, 1):
        to = tmp_path / str(shard)
        main(["--release", str(release), "--shard", str(shard), "--shards", "2", "--to", str(to)])
        part = Index.load(to / "releases" / "7" / FOLDER / str(shard))
        read.append(part.faiss_index.reconstruct_n(0, part.meta.items))
        config = (to / "models" / MODEL / "config.pbtxt").read_text()
        assert "versions: [ 7 ]" in config
        assert f'key: "shard", value: {{ string_value: "{shard}" }}' in config
        assert (to / "models" / MODEL / "7" / "model.py").is_file()
    assert np.array_equal(np.concatenate(read), VECTORS)
    with pytest.raises(BadUse, match="there are 2"):
        main(["--release", str(release), "--shard", "2", "--shards", "2", "--to", str(tmp_path / "2")])


def test_who_asks_needs_the_index_s_description_alone(release: Path) -> None:
    (release / INDEX_FILE).unlink()
    assert sizes_of(release, 2) == [11, 10]


def test_parts_that_a_release_has_already_are_kept(tmp_path: Path) -> None:
    release = tmp_path / "3"
    release.mkdir()
    build_sharded(VECTORS, 3).save(release)
    main(["--release", str(release), "--shard", "1", "--shards", "3", "--to", str(tmp_path / "to")])
    copied = tmp_path / "to" / "releases" / "3" / FOLDER / "1" / INDEX_FILE
    assert copied.read_bytes() == (release / FOLDER / "1" / INDEX_FILE).read_bytes()
    assert json.loads((release / FOLDER / SIZES_FILE).read_text()) == sizes_of(release, 3) == [7, 7, 7]
    with pytest.raises(BadUse, match="release 3 has 3"):
        sizes_of(release, 2)


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
