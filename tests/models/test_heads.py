from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from recsys import schema
from recsys.models import dlrm, export, finetune_ranking, heads, ranking
from recsys.models.finetune_parent import Parent, Weight
from recsys.models.metrics import auc
from recsys.models.parity import parity
from recsys.models.towers import Towers
from recsys.release.dlrm_broadcast import write_broadcast
from recsys.settings import FinetuneSettings, TrainingSettings


def _event(shop) -> np.ndarray:
    """Items of odd index are put into the cart, of those every fourth is bought: no user differs."""
    index = shop.examples.item
    return np.where(index % 2 == 0, 0, np.where(index % 4 == 1, 2, 1)).astype(np.int8)


@pytest.fixture(scope="module")
def settings(training: TrainingSettings) -> TrainingSettings:
    longer = {
        "least_steps": 120,
        "learning_rate": 0.02,
        "head_loss": 1.0,
        "validation_rows": 400,
        "cart_value": 2.0,
    }
    return training.model_copy(update={"ranking": training.ranking.model_copy(update=longer)})


@pytest.fixture(scope="module")
def many(shop, settings, towers_dir):
    rows = shop.rows.assign(**{schema.EVENT: _event(shop)})
    return dlrm.train(rows, shop.catalogue, shop.workflows, settings, lambda *_: None, towers_dir)


def _inputs(ranker, shop, count: int = 400) -> dict[str, tf.Tensor]:
    examples = shop.examples.take(np.arange(len(shop.examples) - count, len(shop.examples))).looking_back()
    items = {name: tf.constant(column) for name, column in shop.catalogue.inputs.items()}
    rows = ranking.tile(ranking.tensors(examples), items, tf.constant(examples.item[:, None]))
    rows |= {name: tf.constant(examples.inputs[name]) for name in schema.RECENT_FEATURES}
    rows["user_embedding"] = ranker.towers.users(ranking.tensors(examples))
    return {name: rows[name] for name in ranker.inputs}


def test_each_head_learns_its_own_label(shop, many) -> None:
    outputs = {name: each.numpy()[:, 0] for name, each in many.outputs(_inputs(many, shop)).items()}
    event = _event(shop)[-400:]
    assert auc(outputs["cart"], event >= 1) > 0.85
    assert auc(outputs["purchase"], event >= 2) > 0.85
    in_cart = event >= 1
    assert auc(outputs["purchase"][in_cart], event[in_cart] >= 2) > 0.8  # and not the other's
    assert auc(outputs["click"], event >= 1) < 0.7


def test_the_score_is_the_click_s_times_what_a_click_is_worth(shop, many) -> None:
    outputs = {name: each.numpy()[:, 0] for name, each in many.outputs(_inputs(many, shop)).items()}
    assert set(outputs) == {"score", "click", "cart", "purchase"}

    def logit(share: np.ndarray) -> np.ndarray:
        stated = 2 * share.astype(np.float64) - 1
        return stated / (1 - np.abs(stated))

    worth = np.log1p(2.0 * outputs["cart"])
    np.testing.assert_allclose(logit(outputs["score"]), logit(outputs["click"]) + worth, atol=2e-3)


def test_the_file_puts_all_of_it_out_and_the_rewritten_form_the_score(shop, many, tmp_path) -> None:
    export.export_ranker(many, tmp_path)
    session = onnxruntime.InferenceSession(str(tmp_path / schema.DLRM_ONNX))
    assert {port.name for port in session.get_outputs()} == {"score", "click", "cart", "purchase"}
    assert write_broadcast(tmp_path)  # compares its scores with the file's
    assert parity(tmp_path)["dlrm"] < 1e-4


def test_without_events_there_is_one_output(ranker, shop) -> None:
    assert ranker.heads is None
    assert set(ranker.outputs(_inputs(ranker, shop))) == {"score"}
    unknown = shop.rows.assign(**{schema.EVENT: np.full(len(shop.rows), schema.UNKNOWN, np.int8)})
    assert not heads.are_there(unknown[schema.EVENT].to_numpy())


def test_calibrated_on_rows_held_out(shop, many) -> None:
    assert many.heads is not None
    event = _event(shop)
    chance = many.outputs(_inputs(many, shop))["cart"].numpy().mean()
    assert chance == pytest.approx((event[-400:] >= 1).mean(), abs=0.1)


def test_what_the_newest_clicks_tell_is_added() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2_000, 3)).astype(np.float32)
    chance = 1 / (1 + np.exp(1 - 2 * features[:, 1]))
    event = (rng.random(2_000) < chance).astype(np.int8)
    found = heads.fit(np.zeros((2_000, 2)), features, event, (0.0, 0.0))
    logits = tf.zeros((2_000, 3))
    told = found.chances(logits, tf.constant(features))["cart"].numpy()[:, 0]
    assert np.abs(told - chance).mean() < 0.03
    assert found.weights[1].tolist() == [1, 0, 0, 0]  # nothing was bought: as it was trained


def test_rows_that_do_not_tell_do_not_count() -> None:
    target = heads.labels(np.array([-1, 0, 1, 2]), 4)
    np.testing.assert_array_equal(target, [[np.nan, np.nan], [0, 0], [1, 0], [1, 1]])
    one = heads.loss(tf.zeros((4, 2)), target).numpy()
    assert one == pytest.approx(np.log(2))
    assert heads.loss(tf.zeros((1, 2)), target[:1]).numpy() == 0


def test_a_fine_tuning_goes_on_with_the_heads(shop, many, settings, towers_dir, monkeypatch) -> None:
    names = [variable.name.removesuffix(":0") for variable in many.model.variables]
    saved = [Weight(name, each.numpy()) for name, each in zip(names, many.model.variables, strict=True)]
    parent = Parent(towers_dir, settings, shop.workflows, shop.catalogue)
    monkeypatch.setattr(Parent, "weights", lambda *_: saved)
    rows = shop.rows.assign(**{schema.EVENT: _event(shop)})
    tuned = finetune_ranking.tune(parent, rows, Towers.load(towers_dir, parent.catalogue), FinetuneSettings())
    assert tuned.heads is not None
    assert tuned.model.variables[-1].shape == many.model.variables[-1].shape
