from __future__ import annotations

import numpy as np
import pytest

from recsys.models.candidates import CandidatePools


def test_a_small_catalogue_is_compared_whole():
    pools = CandidatePools(np.array([5, 0, 2]), whole=3, uniform=1)
    pool = pools.draw(np.array([2, 2, 0]), np.random.default_rng(0))
    assert pool.items.tolist() == [0, 1, 2]
    assert pool.positive.tolist() == [2, 2, 0]
    assert not pool.log_inclusion.any()


def test_a_pool_holds_each_item_once_and_the_batch_s_own_items():
    pools = CandidatePools(np.arange(1, 101), whole=10, uniform=20)
    positives = np.array([3, 99, 3, 50])
    pool = pools.draw(positives, np.random.default_rng(0))
    assert len(np.unique(pool.items)) == len(pool.items)
    assert (pool.items[pool.positive] == positives).all()
    assert len(pool.items) > len(np.unique(positives))


def test_inclusion_is_how_often_an_item_is_in_a_pool():
    popularity = np.array([60, 20, 10, 5, 5, 0])
    pools = CandidatePools(popularity, whole=1, uniform=2)
    rng = np.random.default_rng(0)
    draws = 4_000
    seen = np.zeros(6)
    for _ in range(draws):
        seen[pools.draw(rng.choice(6, size=4, p=popularity / 100), rng).items] += 1
    np.testing.assert_allclose(seen / draws, pools.inclusion(4), atol=0.03)


def test_the_corrected_sum_estimates_that_of_the_whole_catalogue():
    popularity = np.geomspace(1_000, 1, 30)
    scores = np.random.default_rng(1).normal(size=30)
    pools = CandidatePools(popularity, whole=1, uniform=5)
    rng = np.random.default_rng(2)
    corrected, plain = [], []
    for _ in range(4_000):
        pool = pools.draw(rng.choice(30, size=8, p=popularity / popularity.sum()), rng)
        corrected.append(np.exp(scores[pool.items] - pool.log_inclusion).sum())
        plain.append(np.exp(scores[pool.items]).sum())
    whole = np.exp(scores).sum()
    assert np.mean(corrected) == pytest.approx(whole, rel=0.02)
    assert np.mean(plain) < 0.6 * whole


def test_without_the_correction_every_item_is_as_if_certain():
    popularity = np.array([60, 20, 10, 5, 5, 0])
    plain, told = (CandidatePools(popularity, whole=1, uniform=2, corrected=on) for on in (False, True))
    drawn = [pools.draw(np.array([0, 0, 3]), np.random.default_rng(0)) for pools in (plain, told)]
    assert drawn[0].items.tolist() == drawn[1].items.tolist()
    assert not drawn[0].log_inclusion.any()
    assert drawn[1].log_inclusion.all()
