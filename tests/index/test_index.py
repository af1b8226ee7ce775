"""The index against a plain matrix product, and what its files and errors say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import BadData, BadUse
from recsys.index import Index, build
from recsys.schema import INDEX_FILE, INDEX_META_FILE, NO_ITEM


def vectors_of(rows: int, width: int = 64, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    lengths = rng.uniform(0.1, 3.0, (rows, 1))
    return (rng.normal(size=(rows, width)) * lengths).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 400), batch=st.integers(1, 70), k=st.integers(1, 450), seed=st.integers(0, 10**6))
def test_auto_is_the_exact_top_k_by_inner_product(rows: int, batch: int, k: int, seed: int) -> None:
    items, users = vectors_of(rows, seed=seed), vectors_of(batch, seed=seed + 1)
    scores, found = build(items).search(users, k)
    best = -np.sort(-(users @ items.T), axis=1)[:, :k]
    width = min(k, rows)
    assert found.dtype == np.int64
    assert scores.shape == found.shape == (batch, k)
    np.testing.assert_allclose(scores[:, :width], best, rtol=1e-4, atol=1e-4)
    assert (found[:, width:] == NO_ITEM).all()
    assert np.isneginf(scores[:, width:]).all()
    assert all(len(set(row[:width])) == width for row in found.tolist())


def test_length_counts_not_only_direction() -> None:
    items = np.zeros((2, 64), np.float32)
    items[0, 0] = 1.0  # the same direction as the query, short
    items[1, :2] = 3.0  # another direction, long
    query = np.zeros((1, 64), np.float32)
    query[0, 0] = 1.0
    assert build(items).search(query, 2)[1].tolist() == [[1, 0]]


def test_an_answer_does_not_depend_on_the_batch() -> None:
    index, users = build(vectors_of(2_000)), vectors_of(64, seed=5)
    together = index.search(users, 100)
    for row in range(64):
        alone = index.search(users[row : row + 1], 100)
        assert np.array_equal(alone[0][0], together[0][row])
        assert np.array_equal(alone[1][0], together[1][row])


# Directions drawn at random are the hardest case for inverted lists; real embeddings cluster.
@pytest.mark.parametrize(("kind", "floor"), [("scalar", 0.95), ("hnsw", 0.95), ("ivf_pq", 0.5)])
def test_other_kinds_search_by_inner_product(kind: str, floor: float, tmp_path: Path) -> None:
    items, users = vectors_of(12_000), vectors_of(20, seed=3)
    index = build(items, kind)
    index.save(tmp_path)
    scores, found = Index.load(tmp_path).search(users, 10)
    assert np.array_equal(found, index.search(users, 10)[1])
    truth = np.argsort(-(users @ items.T), axis=1)[:, :10]
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(found, truth, strict=True)])
    assert recall > floor
    exact = np.take_along_axis(users @ items.T, found, axis=1)
    np.testing.assert_allclose(scores, exact, rtol=0.05, atol=0.3)
    assert index.meta.kind == kind
    assert index.meta.recall is None


def test_save_and_load_keep_answers_and_say_what_was_chosen(tmp_path: Path) -> None:
    index, users = build(vectors_of(100)), vectors_of(3, seed=9)
    index.save(tmp_path)
    loaded = Index.load(tmp_path)
    assert loaded.meta == index.meta
    assert np.array_equal(loaded.search(users, 7)[1], index.search(users, 7)[1])
    meta = json.loads((tmp_path / INDEX_META_FILE).read_text())
    assert meta["kind"] == "flat"
    assert meta["recall"] == 1.0
    assert "100 items" in meta["reason"]


def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path) -> None:
    build(vectors_of(10)).save(tmp_path)
    (tmp_path / INDEX_FILE).write_bytes(b"nonsense")
    with pytest.raises(BadData, match="cannot be read") as caught:
        Index.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_index_of_another_catalogue_is_refused(tmp_path: Path) -> None:
    build(vectors_of(10)).save(tmp_path)
    meta = json.loads((tmp_path / INDEX_META_FILE).read_text())
    (tmp_path / INDEX_META_FILE).write_text(json.dumps(meta | {"items": 11}))
    with pytest.raises(BadData, match="holds 10 x 64"):
        Index.load(tmp_path)


def test_bad_vectors_kinds_and_queries_are_refused() -> None:
    broken = vectors_of(5)
    broken[3, 1] = np.nan
    with pytest.raises(BadData, match="item embedding 3"):
        build(broken)
    with pytest.raises(BadData, match="no vector"):
        build(np.zeros((0, 64), np.float32))
    with pytest.raises(BadUse, match="no such kind"):
        build(vectors_of(5), "annoy")
    with pytest.raises(BadUse, match="vectors of 64"):
        build(vectors_of(5)).search(vectors_of(1, width=32), 3)
    with pytest.raises(BadUse):
        build(vectors_of(5)).search(vectors_of(1), 0)
