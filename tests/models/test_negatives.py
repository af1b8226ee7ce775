from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recsys.models import negatives

SEED = tf.constant([1, 2], tf.int32)


def test_every_row_gets_its_negatives_in_graph_mode():
    @tf.function
    def drawn(proposal, positive):
        return negatives.draw(proposal, 5, positive, SEED)

    items, correction = drawn(tf.math.log(tf.fill([3, 10], 0.1)), tf.constant([0, 1, 2], tf.int64))
    assert items.shape == correction.shape == (3, 6)
    assert items[:, 0].numpy().tolist() == [0, 1, 2]
    assert (correction[:, 1:].numpy() < negatives.NEVER).any(axis=1).all()


def test_negatives_come_as_often_as_the_proposal_says_and_the_correction_knows():
    shares = np.array([0.5, 0.3, 0.15, 0.05], np.float32)
    items, correction = negatives.draw(tf.math.log(shares)[None, :], 20_000, tf.constant([3], tf.int64), SEED)
    frequency = np.bincount(items.numpy()[0, 1:], minlength=4) / 20_000
    np.testing.assert_allclose(frequency, shares, atol=0.015)
    for item in range(3):
        first = int(np.argmax(items.numpy()[0] == item))
        assert correction.numpy()[0, first] == pytest.approx(np.log(shares[item] * 4), abs=1e-5)


def test_a_negative_that_is_the_positive_does_not_count():
    items, correction = negatives.draw(tf.math.log([[1.0, 1e-9]]), 8, tf.constant([0], tf.int64), SEED)
    same = items.numpy()[0, 1:] == 0
    assert same.any()
    assert (correction.numpy()[0, 1:][same] == negatives.NEVER).all()
    assert correction.numpy()[0, 0] < negatives.NEVER


@pytest.mark.parametrize("scores", [None, tf.constant([[3.0, 0.0, -3.0], [0.0, 0.0, 0.0]])])
def test_a_mixture_is_a_distribution(scores):
    log = negatives.mixture(scores, tf.constant([8.0, 2.0, 0.0]), (0.8, 0.1, 0.1))
    np.testing.assert_allclose(np.exp(log).sum(axis=1), 1, atol=1e-5)
    assert np.isfinite(log).all()
