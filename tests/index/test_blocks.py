"""What is read a block at a time from a file is what lies in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.index import build
from recsys.index.blocks import blocks, exact_top, sample
from recsys.index.kinds import KINDS, bytes_of

ROWS = 3_000
VECTORS = np.random.default_rng(0).normal(size=(ROWS, 64)).astype(np.float32)
USERS = np.random.default_rng(1).normal(size=(5, 64)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 50), block=st.integers(1, 60), dtype=st.sampled_from(["f2", "f4", "f8"]))
def test_blocks_are_all_of_it_in_order(rows: int, block: int, dtype: str) -> None:
    vectors = np.arange(rows * 4).reshape(rows, 4).astype(dtype)
    found = list(blocks(vectors, block))
    assert all(part.dtype == np.float32 and part.flags.c_contiguous for part in found)
    assert all(len(part) == block for part in found[:-1])
    assert np.array_equal(np.concatenate(found), vectors)


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 300), k=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_the_exact_answer_does_not_depend_on_blocks(rows: int, k: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(rows, 64)).astype(np.float32)
    k = min(k, rows)
    found = exact_top(USERS, vectors, k, block=17)
    scores = USERS @ vectors.T
    best = -np.sort(-scores, axis=1)[:, :k]
    np.testing.assert_allclose(np.take_along_axis(scores, found, axis=1), best, rtol=1e-5, atol=1e-5)
    assert all(len(set(row)) == k for row in found.tolist())


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_mapped_file_stays_as_it_is(mode: str, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VECTORS)
    mapped = np.load(tmp_path / "v.npy", mmap_mode=mode)
    if mode == "c":
        mapped[7] = 1  # in this process alone; giving the page back would lose it
    found = np.concatenate(list(blocks(mapped, 700)))
    assert np.array_equal(np.delete(found, 7, axis=0), np.delete(VECTORS, 7, axis=0))
    assert np.array_equal(found[7], np.ones(64) if mode == "c" else VECTORS[7])
    assert np.array_equal(mapped, found)


@pytest.mark.parametrize("kind", [*KINDS, "auto"])
def test_an_index_of_a_file_is_the_index_of_memory(kind: str, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", VECTORS)
    mapped = build(np.load(tmp_path / "v.npy", mmap_mode="r"), kind)
    scores, items = build(VECTORS, kind).search(USERS, 60)
    found = mapped.search(USERS, 60)
    assert np.array_equal(found[0], scores)
    assert np.array_equal(found[1], items)


def test_a_sample_is_seeded_and_in_order() -> None:
    taken = sample(VECTORS, 2_500)
    assert np.array_equal(taken, sample(VECTORS, 2_500))
    places = [np.flatnonzero((row == VECTORS).all(axis=1))[0] for row in taken[::100]]
    assert places == sorted(set(places))
    assert np.array_equal(sample(VECTORS, ROWS), VECTORS)


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_memory_that_is_foretold_is_that_of_the_file(kind: str, tmp_path: Path) -> None:
    build(VECTORS, kind).save(tmp_path)
    size = (tmp_path / "index.faiss").stat().st_size
    assert 0.85 * size <= bytes_of(kind, ROWS, 64) <= 1.15 * size
