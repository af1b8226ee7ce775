from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import schema
from recsys.features.popularity import PopularityLog
from recsys.models import correction, dlrm, export
from recsys.models.intent import FEATURES, HALF_LIVES_H, Intent
from recsys.models.intent_fit import Lists, fit_intent
from recsys.release.dlrm_broadcast import write_broadcast
from recsys.serving.onnx_model import OnnxModel

WIDTH = 50


@pytest.fixture(scope="module")
def intent(shop) -> Intent:
    vectors = np.random.default_rng(3).normal(size=(len(shop.catalogue), 64)).astype(np.float32)
    return Intent(shop.catalogue, vectors, hidden=4, seed=0)


def clicks(*rows: list[tuple[int, float]]) -> dict[str, tf.Tensor]:
    """Newest clicks as the model takes them: each row's (item, age in hours)."""
    items = np.full((len(rows), WIDTH), -1, np.int64)
    ages = np.zeros((len(rows), WIDTH), np.float32)
    for at, row in enumerate(rows):
        for place, (item, age) in enumerate(row):
            items[at, place], ages[at, place] = item, age
    return {"recent_items": tf.constant(items), "recent_ages": tf.constant(ages)}


def features(intent: Intent, shop, recent: dict[str, tf.Tensor], item: np.ndarray) -> np.ndarray:
    inputs = {name: tf.constant(column[item]) for name, column in shop.catalogue.inputs.items()}
    inputs["item_vector"] = tf.constant(intent._vectors[item])
    return intent.features(intent.user(recent), inputs).numpy().reshape(len(item), len(HALF_LIVES_H), 4)


ROW = st.lists(st.tuples(st.integers(-1, 45), st.floats(0, 800, width=32)), max_size=WIDTH)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(ROW, st.integers(0, 39)), min_size=1, max_size=4))
def test_features_are_what_a_loop_over_clicks_gives(intent, shop, rows) -> None:
    found = features(intent, shop, clicks(*(row for row, _ in rows)), np.array([item for _, item in rows]))
    categories, prices = shop.catalogue.inputs[intent.category][:, 0], shop.catalogue.inputs["price"][:, 0]
    for at, (row, item) in enumerate(rows):
        known = [(clicked, age) for clicked, age in row if 0 <= clicked < len(shop.catalogue)]
        for place, half_life in enumerate(HALF_LIVES_H):
            weights = np.array([2.0 ** (-age / half_life) for _, age in known])
            total = weights.sum()
            same = sum(
                w
                for w, (clicked, _) in zip(weights, known, strict=True)
                if categories[clicked] == categories[item]
            )
            mean = sum(
                (w * intent._vectors[c] for w, (c, _) in zip(weights, known, strict=True)), np.zeros(64)
            )
            price = sum(w * prices[c] for w, (c, _) in zip(weights, known, strict=True))
            enough = max(total, 1e-3)
            apart = abs(prices[item] - price / enough) if total > 1e-3 else 0.0
            expected = [np.log1p(same), mean @ intent._vectors[item] / enough, apart, np.log1p(total)]
            np.testing.assert_allclose(found[at, place], expected, rtol=2e-4, atol=2e-4)


def test_untrained_it_adds_nothing(intent, shop) -> None:
    item = np.arange(4)
    inputs = {name: tf.constant(column[item]) for name, column in shop.catalogue.inputs.items()}
    inputs |= {"item_vector": tf.constant(intent._vectors[item])} | clicks(*[[(0, 1.0)]] * 4)
    assert not intent(inputs, tf.ones((4, 1))).numpy().any()


def test_a_visitor_without_clicks_gets_one_constant(shop) -> None:
    """So anonymous visitors' order is retrieval's."""
    intent = Intent(shop.catalogue, np.ones((len(shop.catalogue), 64)), hidden=4, seed=0)
    rng = np.random.default_rng(0)
    for variable in intent.weights[:-1]:
        variable.assign(rng.normal(size=variable.shape))
    item = np.arange(len(shop.catalogue))
    found = features(intent, shop, clicks(*[[]] * len(item)), item)
    added = intent.network(tf.constant(found.reshape(len(item), FEATURES))).numpy()
    assert np.ptp(added) == 0


def test_folded_weights_say_of_raw_features_what_learned_ones_say_of_scaled_ones(shop) -> None:
    intent = Intent(shop.catalogue, np.ones((len(shop.catalogue), 64)), hidden=4, seed=0)
    rng = np.random.default_rng(1)
    for variable in intent.weights:
        variable.assign(rng.normal(size=variable.shape))
    raw = rng.normal(3, 2, size=(20, FEATURES)).astype(np.float32)
    mean, deviation = raw.mean(axis=0), raw.std(axis=0)
    scaled = intent.network(tf.constant((raw - mean) / deviation)).numpy()[:, 0]
    intent.fold(mean, deviation)
    folded = intent.network(tf.constant(raw)).numpy()[:, 0]
    np.testing.assert_allclose(folded - folded.mean(), scaled - scaled.mean(), atol=1e-4)


def _lists(rows: int, tells: bool) -> Lists:
    """Retrieval knows nothing; the first feature tells the click, or nothing does."""
    rng = np.random.default_rng(2)
    features = rng.normal(size=(rows, 12, FEATURES)).astype(np.float32)
    column = rng.integers(12, size=rows)
    if tells:
        features[np.arange(rows), column, 0] += 3.0
    return Lists(
        rng.normal(size=(rows, 12)).astype(np.float32),
        np.zeros((rows, 12), np.float32),
        features,
        column,
        rng.integers(60, size=rows),
    )


def test_what_tells_clicks_is_learned(shop) -> None:
    intent = Intent(shop.catalogue, np.ones((len(shop.catalogue), 64)), hidden=4, seed=0)
    found = fit_intent(intent, _lists(400, tells=True), seed=0)
    assert found["intent_gain"] > 0.5
    assert found["hit@10"] > 0.9


@pytest.mark.parametrize(("rows", "tells"), [(400, False), (50, True)], ids=["noise", "too few rows"])
def test_what_does_not_help_users_it_was_not_fitted_on_is_left_out(shop, rows: int, tells: bool) -> None:
    intent = Intent(shop.catalogue, np.ones((len(shop.catalogue), 64)), hidden=4, seed=0)
    lists = _lists(rows, tells)
    noise = Lists(**{**vars(lists), "retrieved": np.zeros_like(lists.retrieved)})
    found = fit_intent(intent, noise, seed=0)
    assert found == {"intent_steps": 0.0, "intent_gain": 0.0}
    assert not intent.network(tf.constant(lists.features[0])).numpy().any()


def test_popularity_is_learned_exported_and_rewritten(
    shop, training, towers_dir, tmp_path, monkeypatch
) -> None:
    """As an input of the pair of user and item: nobody may keep it as a part of the item."""
    counted = []

    def of(*arguments):
        counted.append(arguments[-1])
        return PopularityLog.of(*arguments)

    monkeypatch.setattr(correction, "PopularityLog", SimpleNamespace(of=of))
    told = training.ranking.model_copy(update={"popularity": True, "validation_rows": 200})
    settings_told = training.model_copy(update={"ranking": told, "validation_share": 1.0})
    ranker = dlrm.train(
        shop.rows, shop.catalogue, shop.workflows, settings_told, towers=towers_dir, half_life_s=7_200.0
    )
    assert set(counted) == {7_200.0}
    intent = Intent(shop.catalogue, ranker.towers.items, hidden=4, seed=0, half_life_s=86_400)
    for variable in intent.weights:
        variable.assign(np.random.default_rng(4).normal(size=variable.shape))
    ranker = replace(ranker, intent=intent, slope=0.1)
    assert schema.ITEM_POPULARITY in ranker.inputs
    export.export_ranker(ranker, tmp_path)
    assert write_broadcast(tmp_path)
    item, pair = (
        OnnxModel(tmp_path / file, output, (*ranker.inputs, "item_parts")).inputs
        for file, output in ((schema.DLRM_ITEMS_ONNX, "item_part"), (schema.DLRM_PAIRS_ONNX, "score"))
    )
    assert schema.ITEM_POPULARITY not in item
    assert schema.ITEM_POPULARITY in pair
