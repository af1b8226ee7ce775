from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.serving.diversity import scaled, unit_vectors
from recsys.serving.dpp import dpp


def make(seed: int, rows: int = 3, items: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, items)), unit_vectors(rng.normal(size=(rows, items, 4)))


def slow(relevance: np.ndarray, vectors: np.ndarray, count: int, weight: float) -> list[int]:
    """The greedy choice by determinants themselves."""
    quality = np.exp((1 - weight) / (2 * weight) * scaled(relevance[None])[0])
    kernel = quality[:, None] * (1 + vectors @ vectors.T) / 2 * quality[None, :]
    chosen: list[int] = []
    for _ in range(count):
        rest = [at for at in range(len(relevance)) if at not in chosen]
        sets = [[*chosen, at] for at in rest]
        chosen.append(rest[int(np.argmax([np.linalg.det(kernel[np.ix_(s, s)]) for s in sets]))])
    return chosen


@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.5, 0.9]))
def test_the_incremental_choice_is_that_by_determinants(seed, weight):
    relevance, vectors = make(seed)
    found = dpp(relevance, vectors, 4, np.full(3, weight))
    for row in range(3):
        assert found[row].tolist() == slow(relevance[row], vectors[row].astype(float), 4, weight)


def test_without_weight_it_is_the_order_by_relevance():
    relevance, vectors = make(1)
    relevance[:, 3] = relevance[:, 2]
    found = dpp(relevance, vectors, 7, np.zeros(3))
    assert found.tolist() == np.argsort(-relevance, axis=1, kind="stable").tolist()


def test_copies_and_pads_come_last_and_nothing_comes_twice():
    vectors = unit_vectors(np.array([[[1.0, 0], [1, 0], [0, 1], [1, 0], [0, 0]]]))
    relevance = np.array([[0.9, 0.8, 0.1, 0.7, -np.inf]])
    found = dpp(relevance, vectors, 5, np.array([0.9]))[0].tolist()
    assert found[:2] == [0, 2]
    assert found[-1] == 4
    assert tuple(sorted(found)) in set(permutations(range(5), 5))


def test_more_weight_makes_more_difference():
    relevance, vectors = make(4, rows=40, items=30)

    def alike(weight: float) -> float:
        chosen = dpp(relevance, vectors, 5, np.full(40, weight))
        own = np.take_along_axis(vectors, chosen[:, :, None], axis=1)
        return float((own @ own.transpose(0, 2, 1)).mean())

    assert alike(0.3) < alike(0.0) - 0.05
    assert alike(0.9) < alike(0.0) - 0.05


def test_rows_do_not_mix():
    relevance, vectors = make(5)
    alone = [dpp(relevance[[row]], vectors[[row]], 4, np.array([0.5]))[0].tolist() for row in range(3)]
    assert dpp(relevance, vectors, 4, np.full(3, 0.5)).tolist() == alone
