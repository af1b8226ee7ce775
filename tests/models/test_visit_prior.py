"""The prior of a visit: whom it moves, how far, and whom it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.models.visit_prior import VisitPrior, VisitShift, visit_weights

CODES = np.repeat([3, 4, 5, 6], [40, 30, 20, 10])
UNPOPULAR = 6


@pytest.fixture(scope="module")
def items() -> np.ndarray:
    """Categories apart from each other, and the last one's items far less popular."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(7, 64))
    vectors = centres[CODES] + 0.5 * rng.normal(size=(len(CODES), 64))
    vectors[:, 0] = np.where(CODES == UNPOPULAR, -6.0, 2.0) + 0.1 * rng.normal(size=len(CODES))
    return vectors.astype(np.float32)


@pytest.fixture(scope="module")
def users() -> np.ndarray:
    found = np.random.default_rng(1).normal(scale=0.5, size=(30, 64)).astype(np.float32)
    found[:, 0] = 2.0
    return found


@pytest.fixture(scope="module")
def prior(items, users) -> VisitPrior:
    return VisitPrior.of(items, CODES, users.mean(axis=0))


def moved(prior: VisitPrior, users: np.ndarray, clicked: list[int], near: float = 1.0) -> np.ndarray:
    clicks = np.tile(clicked, (len(users), 1))
    weights = tf.fill(clicks.shape, near)
    return VisitShift(prior)(tf.constant(users), tf.constant(clicks), weights).numpy()


def of(code: int, count: int = 3) -> list[int]:
    return np.flatnonzero(np.equal(CODES, code))[:count].tolist()


def share(users: np.ndarray, items: np.ndarray, code: int) -> np.ndarray:
    top = np.argsort(-users @ items.T, axis=1)[:, :10]
    return (CODES[top] == code).mean(axis=1)


@pytest.mark.parametrize("code", [3, 4, 5, UNPOPULAR])
def test_three_clicks_bring_every_category_up_even_an_unpopular_one(prior, users, items, code) -> None:
    before = share(users, items, code)
    after = share(moved(prior, users, of(code)), items, code)
    assert (after >= before).all()
    assert (after[before == 0] > 0).all()
    if code == UNPOPULAR:
        assert not before.any()


def test_who_is_there_already_is_not_moved(prior, users, items) -> None:
    fond = users + 20 * prior.directions[4]
    np.testing.assert_allclose(moved(prior, fond, of(4)), fond, atol=1e-5)


def test_nobody_is_moved_further_than_to_stand_out(prior, users) -> None:
    """After the move, or before it, no category's best items score as much as the visited one's."""
    there = np.flatnonzero(prior.present)
    scores = moved(prior, users, of(UNPOPULAR)) @ prior.best[there].T
    own = there == UNPOPULAR
    lead = scores[:, own][:, 0] - scores[:, ~own].max(axis=1)
    assert (lead > 0.99).all()
    np.testing.assert_allclose(np.median(lead), 1.0, atol=1e-3)


def test_one_click_and_clicks_here_and_there_say_nothing(prior, users) -> None:
    np.testing.assert_array_equal(moved(prior, users, of(UNPOPULAR, 1)), users)
    np.testing.assert_array_equal(moved(prior, users, [0, 45, 75, 95]), users)


def test_a_visit_fades(prior, users) -> None:
    steps = [
        np.abs(moved(prior, users, of(UNPOPULAR), near) - users).sum() for near in (1.0, 0.8, 0.5, 0.34, 0.3)
    ]
    assert (np.diff(steps) < 0).all()
    assert steps[-1] == 0
    weights = visit_weights(tf.constant([[0.0, 0.5, -1.0, 2.0]]), tf.constant([[True, True, True, False]]))
    np.testing.assert_allclose(weights[0], [1, np.exp(-1), 1, 0], atol=1e-6)


def test_a_catalogue_of_one_category_or_of_countless_moves_nobody(items, users) -> None:
    for codes in (np.full(len(items), 3), np.arange(len(items)) + 1_000):
        nobody = VisitPrior.of(items, codes, users.mean(axis=0))
        np.testing.assert_array_equal(moved(nobody, users, [0, 1, 2]), users)


def test_new_items_count_for_their_category_if_it_was_known(prior, users) -> None:
    grown = prior.with_categories(np.concatenate([CODES, [UNPOPULAR] * 3, [99] * 3]))
    new = len(CODES) + np.arange(6)
    np.testing.assert_allclose(
        moved(grown, users, new[:3].tolist()), moved(prior, users, of(UNPOPULAR)), atol=1e-6
    )
    np.testing.assert_array_equal(moved(grown, users, new[3:].tolist()), users)


@settings(deadline=None, max_examples=25)
@given(scale=st.floats(0, 100), seed=st.integers(0, 1_000), width=st.integers(1, 3))
def test_whatever_the_embeddings_the_answer_is_a_number(scale, seed, width) -> None:
    """Items all alike, categories of one item, huge and zero vectors."""
    rng = np.random.default_rng(seed)
    vectors = (scale * rng.normal(size=(width, 64)))[rng.integers(width, size=12)].astype(np.float32)
    codes = rng.integers(0, 6, size=12)
    someone = (scale * rng.normal(size=(4, 64))).astype(np.float32)
    prior = VisitPrior.of(vectors, codes, someone.mean(axis=0))
    assert np.isfinite(moved(prior, someone, [0, 1, 2, 0])).all()
