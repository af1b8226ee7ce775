"""An index in parts answers like one index over everything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import BadData
from recsys.index import Index, Sharded, build, open_index
from recsys.index.sharded import FOLDER, build_sharded, merge
from recsys.schema import NO_ITEM


def vectors_of(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 64)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 200),
    shards=st.integers(1, 6),
    k=st.integers(1, 220),
    share=st.sampled_from([None, 0.0, 0.3]),
    seed=st.integers(0, 10**6),
)
def test_it_is_the_search_of_the_whole(
    rows: int, shards: int, k: int, share: float | None, seed: int
) -> None:
    items, users = vectors_of(rows, seed), vectors_of(3, seed + 1)
    allowed = None if share is None else np.random.default_rng(seed).random((3, rows)) < share
    whole, parts = build(items), build_sharded(items, min(shards, rows))
    scores, found = whole.search(users, k, allowed)
    own_scores, own = parts.search(users, k, allowed)
    np.testing.assert_allclose(own_scores, scores, rtol=1e-5, atol=1e-5)
    assert np.array_equal(own, found)
    some = np.random.default_rng(seed).integers(-1, rows, (3, 7))
    np.testing.assert_allclose(
        parts.inner_products(users, some), whole.inner_products(users, some), rtol=1e-5, atol=1e-5
    )


def test_of_equal_scores_the_earlier_parts_come_first() -> None:
    answers = [
        (np.array([[2.0, 1.0]], np.float32), np.array([[4, 0]])),
        (np.array([[2.0, -np.inf]], np.float32), np.array([[7, NO_ITEM]])),
    ]
    scores, found = merge(answers, 4)
    assert found.tolist() == [[4, 7, 0, NO_ITEM]]
    assert scores.tolist() == [[2.0, 2.0, 1.0, -np.inf]]


def test_saved_and_loaded_and_opened_like_any_index(tmp_path: Path) -> None:
    items, users = vectors_of(50), vectors_of(2, 1)
    parts = build_sharded(items, 4)
    parts.save(tmp_path)
    opened = open_index(tmp_path)
    assert isinstance(opened, Sharded)
    assert (opened.meta.items, opened.meta.kind, opened.meta.parameters) == (50, "sharded", {"shards": 4})
    assert np.array_equal(opened.search(users, 9)[1], build(items).search(users, 9)[1])


def test_one_index_is_opened_as_one(tmp_path: Path) -> None:
    build(vectors_of(5)).save(tmp_path)
    assert isinstance(open_index(tmp_path), Index)


def test_a_missing_part_is_refused(tmp_path: Path) -> None:
    build_sharded(vectors_of(20), 3).save(tmp_path)
    for file in (tmp_path / FOLDER / "1").iterdir():
        file.unlink()
    (tmp_path / FOLDER / "1").rmdir()
    with pytest.raises(BadData, match="parts"):
        open_index(tmp_path)
