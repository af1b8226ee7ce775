from __future__ import annotations

from dataclasses import replace

import merlin.models.tf as mm
import numpy as np
import pytest
import tensorflow as tf

from recsys import schema
from recsys.errors import BadData
from recsys.models import dlrm, export, ranking
from recsys.models.metrics import auc


def scored(ranker, shop, examples, items: np.ndarray) -> np.ndarray:
    catalogue = {name: tf.constant(column) for name, column in shop.catalogue.inputs.items()}
    examples = examples.looking_back()
    rows = ranking.tile(ranking.tensors(examples), catalogue, tf.constant(items[:, None]))
    rows |= {name: tf.constant(examples.inputs[name]) for name in schema.RECENT_FEATURES}
    if ranker.towers is not None:
        rows["user_embedding"] = ranker.towers.users(ranking.tensors(examples))
    return ranker.score(rows).numpy()[:, 0]


def test_it_is_merlin_s_model_and_scores_are_shares(shop, ranker):
    assert isinstance(ranker.model, mm.Model)
    scores = scored(ranker, shop, shop.examples, shop.examples.item)
    assert scores.shape == (len(shop.examples),)
    assert (scores > 0).all()
    assert (scores < 1).all()


def test_scores_of_sure_clicks_do_not_tie(shop, ranker):
    scores = scored(ranker, shop, shop.examples, shop.examples.item)
    pairs = np.unique(np.column_stack([shop.examples.inputs["user_id"], shop.examples.item]), axis=0)
    assert len(np.unique(scores)) > 0.9 * len(pairs)


@pytest.mark.parametrize("alone", [False, True])
def test_it_tells_clicks_from_in_batch_negatives(shop, training, ranker, alone):
    if alone:
        ranking_only = training.ranking.model_copy(update={"least_steps": 200})
        settings = training.model_copy(update={"ranking": ranking_only})
        ranker = dlrm.train(shop.rows, shop.catalogue, shop.workflows, settings)
    other = np.random.default_rng(0).permutation(shop.examples.item)
    positive = scored(ranker, shop, shop.examples, shop.examples.item)
    negative = scored(ranker, shop, shop.examples, other)
    labels = np.repeat([1, 0], len(positive))
    assert auc(np.concatenate([positive, negative]), labels) > 0.7


def test_the_held_out_rows_say_how_much_of_the_correction_is_kept(ranker):
    assert ranker.history[-1]["correction"] in ranking._SHARES


def test_without_the_correction_the_order_is_retrieval_s(shop, ranker):
    ranker = replace(ranker, intent=None, slope=1.0, offset=0.0)
    last = next(layer for layer in ranker.model.submodules if layer.name == "logit")
    kept = last.get_weights()
    last.set_weights([np.zeros_like(weight) for weight in kept])
    few = shop.examples.take(np.arange(4))
    try:
        for item in range(0, len(shop.catalogue), 7):
            found = scored(ranker, shop, few, np.full(4, item))
            logit = ranker.towers.scores(ranking.tensors(few)).numpy()[:, item] - ranker.level
            np.testing.assert_allclose(found, 0.5 + 0.5 * logit / (1 + np.abs(logit)), atol=1e-5)
    finally:
        last.set_weights(kept)


def test_the_same_seed_gives_the_same_ranker(shop, training, towers_dir, ranker):
    again = dlrm.train(shop.rows, shop.catalogue, shop.workflows, training, lambda *_: None, towers_dir)
    few = shop.examples.take(np.arange(50))
    np.testing.assert_allclose(
        scored(again, shop, few, few.item), scored(ranker, shop, few, few.item), atol=1e-5
    )


def test_towers_that_are_not_there_are_named(shop, training, tmp_path):
    with pytest.raises(BadData, match="no exported tower"):
        dlrm.train(shop.rows, shop.catalogue, shop.workflows, training, lambda *_: None, tmp_path)


def test_dcn_v2_goes_by_the_same_names(shop, training, towers_dir, tmp_path):
    crossed = training.ranking.model_copy(update={"model": "dcn-v2"})
    settings = training.model_copy(update={"ranking": crossed})
    ranker = dlrm.train(shop.rows, shop.catalogue, shop.workflows, settings, lambda *_: None, towers_dir)
    other = np.random.default_rng(0).permutation(shop.examples.item)
    found = [scored(ranker, shop, shop.examples, items) for items in (shop.examples.item, other)]
    assert auc(np.concatenate(found), np.repeat([1, 0], len(other))) > 0.7
    export.export_ranker(ranker, tmp_path)  # compares the file with the model
    assert (tmp_path / schema.DLRM_ONNX).is_file()
