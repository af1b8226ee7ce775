from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from recsys.serving.exploration import explore, propensities

SCORES = np.array([[0.1, 0.3, 0.2, -np.inf]])


def test_lists_come_as_often_as_their_propensities_say():
    draws = 60_000
    uniform = np.random.default_rng(0).random((draws, 4))
    chosen, chance = explore(np.repeat(SCORES, draws, axis=0), 2, 0.1, uniform)
    stated = chance.prod(axis=1)
    for pair in permutations(range(3), 2):
        mask = (chosen == pair).all(axis=1)
        assert mask.mean() == pytest.approx(stated[mask][0], abs=0.01)
        assert np.ptp(stated[mask]) == pytest.approx(0)
    total = sum(propensities(SCORES, np.array([pair]), 0.1)[0].prod() for pair in permutations(range(3), 2))
    assert total == pytest.approx(1)


def test_the_last_place_is_certain_and_a_pad_has_no_chance():
    chosen, chance = explore(SCORES, 4, 0.1, np.full((1, 4), 0.5))
    assert chosen[0, -1] == 3
    assert chance[0, 2:].tolist() == [1, 0]


def test_a_low_temperature_is_the_order_by_score_even_where_chances_vanish():
    scores = np.array([[0.0, 5.0, 9.0]])
    chosen, chance = explore(scores, 3, 1e-3, np.random.default_rng(0).random((1, 3)))
    assert chosen.tolist() == [[2, 1, 0]]
    np.testing.assert_allclose(chance, 1)
