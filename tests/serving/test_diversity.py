"""MMR: as its definition says, a permutation's head, and without effect where it has no weight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.serving.diversity import ItemVectors, mmr, unit_vectors


def case(seed: int, rows: int, items: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    relevance = rng.normal(size=(rows, items)).round(1)
    relevance[rng.random((rows, items)) < 0.2] = -np.inf
    return relevance, unit_vectors(rng.normal(size=(rows, items, 4)))


def by_definition(relevance: np.ndarray, vectors: np.ndarray, count: int, weight: float) -> list[int]:
    """Carbonell & Goldstein's formula, item by item."""
    there = [item for item in range(len(relevance)) if np.isfinite(relevance[item])]
    if not there:
        return []
    low, high = relevance[there].min(), relevance[there].max()
    scaled = {item: 1 - (high - relevance[item]) / (high - low) if high > low else 1.0 for item in there}
    chosen: list[int] = []
    while len(chosen) < min(count, len(there)):

        def worth(item: int) -> float:
            nearest = max((float(vectors[item] @ vectors[other]) for other in chosen), default=None)
            return scaled[item] if nearest is None else (1 - weight) * scaled[item] - weight * nearest

        chosen.append(max((item for item in there if item not in chosen), key=worth))
    return chosen


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 12), st.floats(0, 1), st.data())
def test_it_is_what_the_formula_says(
    seed: int, rows: int, items: int, weight: float, data: st.DataObject
) -> None:
    relevance, vectors = case(seed, rows, items)
    count = data.draw(st.integers(1, items))
    chosen = mmr(relevance, vectors, count, np.full(rows, weight))
    assert chosen.shape == (rows, count)
    for row in range(rows):
        assert len(set(chosen[row].tolist())) == count
        there = int(np.isfinite(relevance[row]).sum())
        expected = by_definition(relevance[row], vectors[row], count, weight)
        found = chosen[row, : min(count, there)].tolist()
        # Values that differ in the last bit may be chosen the other way round: what they are worth is alike.
        if found != expected:
            first = next(place for place in range(len(expected)) if found[place] != expected[place])
            assert _worth(relevance[row], vectors[row], found[: first + 1], weight) == pytest.approx(
                _worth(relevance[row], vectors[row], expected[: first + 1], weight), abs=1e-5
            )


def _worth(relevance: np.ndarray, vectors: np.ndarray, chosen: list[int], weight: float) -> float:
    """What the last of some choices is worth after those before it."""
    finite = relevance[np.isfinite(relevance)]
    span = finite.max() - finite.min()
    scaled = 1 - (finite.max() - relevance[chosen[-1]]) / span if span else 1.0
    if len(chosen) == 1:
        return float(scaled)
    return float((1 - weight) * scaled - weight * max(vectors[chosen[:-1]] @ vectors[chosen[-1]]))


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_without_weight_it_is_the_order_of_relevance(seed: int, items: int) -> None:
    relevance, vectors = case(seed, 3, items)
    chosen = mmr(relevance, vectors, items, np.zeros(3))
    assert np.array_equal(chosen, np.argsort(-relevance, axis=1, kind="stable"))


@given(st.integers(0, 2**32), st.integers(2, 20))
def test_a_longer_list_begins_with_the_shorter_one(seed: int, items: int) -> None:
    relevance, vectors = case(seed, 4, items)
    weight = np.array([0.0, 0.3, 0.7, 1.0])
    whole = mmr(relevance, vectors, items, weight)
    assert np.array_equal(mmr(relevance, vectors, items // 2, weight), whole[:, : items // 2])


@given(st.integers(0, 2**32))
def test_rows_do_not_influence_each_other(seed: int) -> None:
    relevance, vectors = case(seed, 5, 9)
    weight = np.linspace(0, 1, 5)
    together = mmr(relevance, vectors, 6, weight)
    for row in range(5):
        one = slice(row, row + 1)
        assert np.array_equal(mmr(relevance[one], vectors[one], 6, weight[one]), together[one])


def test_twins_are_not_both_chosen_while_there_is_something_else() -> None:
    vectors = np.array([[[1, 0], [1, 0], [0, 1.0]]])
    relevance = np.array([[1.0, 0.9, 0.5]])
    assert mmr(relevance, vectors, 2, np.array([0.0])).tolist() == [[0, 1]]
    assert mmr(relevance, vectors, 2, np.array([0.6])).tolist() == [[0, 2]]


def test_vectors_of_a_release_are_units_and_pads_are_zero(release: Path) -> None:
    vectors = ItemVectors(release).of(np.array([[0, 5, -1]]))
    assert vectors.shape == (1, 3, 128)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=2), [[1, 1, 0]], atol=1e-6)


def test_what_is_missing_is_left_to_the_other_embedding() -> None:
    image, text = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 2.0], [0.0, 0.0]])
    assert unit_vectors(image, text).tolist() == pytest.approx(np.array([[0, 0, 0, 1], [0.6, 0.8, 0, 0]]))
