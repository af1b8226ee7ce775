from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recsys.models import losses, negatives


def test_loss_of_a_list_is_the_softmax_over_it():
    logits = tf.constant([[1.0, 0.0, -1.0]])
    loss = losses.listwise(logits, tf.zeros((1, 3)), normalise=0.0)
    assert float(loss) == pytest.approx(-np.log(np.exp(1) / (np.exp([1, 0, -1]).sum())), abs=1e-6)


def test_a_list_whose_negatives_all_collide_has_a_finite_gradient():
    logits = tf.Variable([[1.0, 5.0]])
    with tf.GradientTape() as tape:
        loss = losses.listwise(logits, tf.constant([[0.0, negatives.NEVER]]))
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, logits)).all()


def test_what_was_passed_over_is_to_score_below_what_was_clicked():
    line = tf.constant([1.0, 0.0])
    high, low = tf.constant([4.0, 3.0]), tf.constant([-4.0])
    right = float(losses.exposure(high, low, line))
    assert right < float(losses.exposure(low, high, line))
    expected = np.mean(np.log1p(np.exp([-4.0, -3.0]))) + np.log1p(np.exp(-4.0))
    assert right == pytest.approx(expected, rel=1e-5)
