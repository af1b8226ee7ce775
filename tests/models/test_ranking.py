from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recsys import schema
from recsys.models import dlrm, negatives, ranking
from recsys.models.examples import Examples, hold_out
from recsys.models.ranking import ChainLists, RankingTrainer, chain_lists
from recsys.models.towers import Towers


def trainer(shop, training, rows=None) -> RankingTrainer:
    model = dlrm.build(shop.workflows, training.ranking, seed=0)
    examples = Examples.build(shop.rows if rows is None else rows, shop.catalogue, shop.workflows)
    return RankingTrainer(model, shop.catalogue, examples, None, training)


def test_each_click_of_a_step_is_ranked_against_negatives(shop, training):
    found = trainer(shop, training)
    positive = tf.constant(shop.examples.item[:16])
    items, correction = tf.function(found.negatives, autograph=False)(None, positive, tf.constant([0, 1]))
    count = training.ranking.negatives
    assert items.shape == (16, 1 + count)
    real = (items[:, 1:] != positive[:, None]) & (correction[:, 1:] < negatives.NEVER)
    assert tf.reduce_all(tf.reduce_any(real, axis=1))


def test_negatives_change_the_loss_of_a_training_step(shop, training):
    """A step without negatives has loss 0 whatever the model says."""
    found = trainer(shop, training)
    assert float(found._one(found._gather(np.arange(32)), 0.0)) > 1.0


def test_exposures_are_trained_on_where_there_are_any(shop, training):
    rows = shop.rows.copy()
    rows.loc[rows.index[::2], "click"] = 0
    with_exposures = trainer(shop, training, rows)
    assert len(with_exposures._exposures) == len(rows) // 2
    before = with_exposures._calibration.numpy().copy()
    with_exposures._one(with_exposures._gather(np.arange(32)), 0.01)
    assert not np.allclose(before, with_exposures._calibration.numpy())
    plain = trainer(shop, training)
    plain._one(plain._gather(np.arange(32)), 0.01)
    assert plain._calibration.numpy().tolist() == [1.0, 0.0]


def test_lists_know_their_click_and_how_likely_it_is():
    lists = ChainLists(
        np.array([[2.0, 1.0], [2.0, 1.0]]), np.array([[0.0, 3.0], [0.0, 3.0]]), np.array([1, -1])
    )
    assert lists.metrics(0.0)["mrr"] == pytest.approx(0.25)  # second of one list, missing in the other
    assert lists.metrics(1.0)["mrr"] == pytest.approx(0.5)
    assert lists.log_likelihood(1.0) > lists.log_likelihood(0.0)
    assert lists.log_likelihood(0.0) == pytest.approx(1 - np.log(np.exp([2, 1]).sum()))


@pytest.mark.parametrize("epochs", [1, 2])
def test_its_lists_are_those_of_the_model_that_is_kept(shop, training, towers_dir, epochs):
    settings = training.model_copy(
        update={"ranking": training.ranking.model_copy(update={"epochs": epochs, "patience": 9})}
    )
    kept, held = hold_out(shop.examples, 0.2, 200, 0)
    towers = Towers.load(towers_dir, shop.catalogue)
    model = dlrm.build(shop.workflows, settings.ranking, seed=0)
    trained = RankingTrainer(model, shop.catalogue, kept, towers, settings)
    assert trained.lists is None
    trained.run(held, lambda *_: None)
    items = {name: tf.constant(column) for name, column in shop.catalogue.inputs.items()}
    again = chain_lists(model, towers, items, held)
    assert np.array_equal(trained.lists.items, again.items)
    np.testing.assert_allclose(trained.lists.retrieved, again.retrieved, rtol=1e-5)
    np.testing.assert_allclose(trained.lists.correction, again.correction, rtol=1e-4, atol=1e-5)
    assert np.array_equal(trained.lists.column, again.column)


def test_tiles_repeat_the_row_and_gather_the_item():
    users = {name: tf.constant([[1], [2]]) for name in (*schema.USER_FEATURES, *schema.CONTEXT_FEATURES)}
    items = {"i": tf.constant([[10], [11], [12]])}
    rows = ranking.tile(users | {"recent_items": tf.zeros((2, 50))}, items, tf.constant([[0, 2], [1, 1]]))
    assert rows["user_id"].numpy().ravel().tolist() == [1, 1, 2, 2]
    assert rows["i"].numpy().ravel().tolist() == [10, 12, 11, 11]
    assert "recent_items" not in rows
