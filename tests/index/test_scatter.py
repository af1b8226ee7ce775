"""Parts that are asked at once answer like the whole, and say who was silent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import Unavailable
from recsys.index import Index, build
from recsys.index.scatter import Scattered
from recsys.index.sharded import even_sizes
from recsys.schema import NO_ITEM


def vectors_of(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 64)).astype(np.float32)


class Silent:
    """A part whose machine is away."""

    def search(self, *_: object) -> tuple[np.ndarray, np.ndarray]:
        raise Unavailable("part", "away", "Wait")

    def inner_products(self, *_: object) -> np.ndarray:
        raise Unavailable("part", "away", "Wait")


def parts_of(items: np.ndarray, shards: int) -> tuple[list[Index], list[int]]:
    sizes = even_sizes(len(items), shards)
    return [build(part) for part in np.split(items, np.cumsum(sizes)[:-1])], sizes


@settings(max_examples=20, deadline=None)
@given(
    rows=st.integers(2, 90),
    k=st.integers(1, 100),
    silent=st.sampled_from([None, 0, 1, 2]),
    masked=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_what_is_there_is_searched_whole(
    rows: int, k: int, silent: int | None, *, masked: bool, seed: int
) -> None:
    items, users = vectors_of(rows, seed), vectors_of(2, seed + 1)
    allowed = np.random.default_rng(seed).random((2, rows)) < 0.5 if masked else np.ones((2, rows), bool)
    parts, sizes = parts_of(items, min(3, rows))
    there = np.ones(rows, bool)
    silent = None if silent is None or silent >= len(parts) else silent
    if silent is not None:
        start = sum(sizes[:silent])
        there[start : start + sizes[silent]] = False
        parts[silent] = Silent()  # type: ignore[call-overload]
    scattered = Scattered(parts, sizes)
    try:
        found = scattered.search_those_there(users, k, allowed)
        scores, expected = build(items).search(users, k, allowed & there)
        width = found.items.shape[1]
        assert np.array_equal(found.items, expected[:, :width])
        assert (expected[:, width:] == NO_ITEM).all()
        np.testing.assert_allclose(found.scores, scores[:, :width], rtol=1e-6)
        assert found.silent == (() if silent is None else (silent,))
        asked = np.arange(-1, rows)[None].repeat(2, axis=0)
        known = np.concatenate([[False], there])
        assert np.array_equal(np.isfinite(scattered.inner_products(users, asked)), np.stack([known, known]))
    finally:
        scattered.close()


def test_a_strict_search_names_who_is_silent() -> None:
    parts, sizes = parts_of(vectors_of(30), 3)
    scattered = Scattered([parts[0], Silent(), parts[2]], sizes)
    with pytest.raises(Unavailable, match="index part 1"):
        scattered.search(vectors_of(1), 5)
    scattered.close()


def test_nobody_there_is_an_error() -> None:
    scattered = Scattered([Silent(), Silent()], [3, 3])
    with pytest.raises(Unavailable, match="index part 0, 1"):
        scattered.search_those_there(vectors_of(1), 5)
    scattered.close()


def test_a_fault_that_is_no_silence_is_not_hidden() -> None:
    parts, sizes = parts_of(vectors_of(20), 2)
    scattered = Scattered(parts, sizes)
    with pytest.raises(Exception, match="vectors of 64"):
        scattered.search_those_there(vectors_of(1)[:, :8], 5)
    scattered.close()


@pytest.mark.parametrize(("items", "shards"), [(10, 3), (2, 2), (500, 7)])
def test_sizes_are_those_of_an_even_split(items: int, shards: int) -> None:
    assert even_sizes(items, shards) == [len(part) for part in np.array_split(np.arange(items), shards)]
