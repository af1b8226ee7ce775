from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recsys.models import blocks, two_tower
from recsys.models.columns import columns
from recsys.models.history import ClickHistory
from recsys.models.retrieval import RetrievalTrainer, contrastive_loss


def test_loss_of_equal_scores_is_the_log_of_their_number():
    loss = contrastive_loss(tf.zeros((2, 5)), tf.zeros(5), tf.constant([0, 4], tf.int64))
    assert float(loss) == pytest.approx(np.log(5))


def test_a_candidate_that_is_seldom_drawn_counts_for_more():
    logits, positive = tf.zeros((1, 2)), tf.constant([0], tf.int64)
    often = contrastive_loss(logits, tf.math.log([1.0, 1.0]), positive)
    seldom = contrastive_loss(logits, tf.math.log([1.0, 0.1]), positive)
    assert float(often) == pytest.approx(np.log(2))
    assert float(seldom) == pytest.approx(np.log(11), abs=1e-5)


def test_completing_the_table_gives_what_training_saw_but_for_the_own_click(shop, training):
    model = two_tower.build(shop.workflows, training.retrieval, seed=0)
    clicks = two_tower._click_history(shop.workflows, shop.catalogue, shop.examples, training)
    RetrievalTrainer(model, clicks, shop.catalogue, shop.examples, training)
    few = shop.examples.take(np.arange(20))
    inputs = {name: tf.constant(column) for name, column in few.inputs.items()}
    nobody = tf.fill([20], tf.constant(-5, tf.int64))
    seen = clicks.embed(model.query_encoder, inputs, nobody)
    left_out = clicks.embed(model.query_encoder, inputs, tf.constant(few.item))
    table = blocks.embedding_tables(model.query_encoder)["user_id"]
    table.assign_add(clicks.sums())
    names = columns(shop.workflows, two_tower.query_features(training.retrieval)).column_names
    served = model.query_encoder({name: inputs[name] for name in names})
    np.testing.assert_allclose(served, seen, atol=1e-5)
    assert isinstance(clicks, ClickHistory)
    assert not np.allclose(served, left_out, atol=1e-4)
