from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from recsys import schema
from recsys.errors import RecsysError
from recsys.models import blocks, dlrm, export
from recsys.models.dlrm import FEATURES, Ranker
from recsys.models.finetune_parent import Parent
from recsys.models.intent import Intent
from recsys.models.ranking import tensors, tile

OUTPUTS = {"query_tower": "user_embedding", "candidate_tower": "item_embedding", "dlrm": "score"}


@pytest.fixture(scope="module")
def exported(ranker, towers_dir, tmp_path_factory):
    ranker_dir = tmp_path_factory.mktemp("ranker")
    export.export_ranker(ranker, ranker_dir)
    return {"query_tower": towers_dir, "candidate_tower": towers_dir, "dlrm": ranker_dir}


def inputs_of(shop, session, rows: int) -> dict[str, np.ndarray]:
    examples = shop.examples.take(np.arange(rows))
    columns = examples.inputs | {
        name: column[examples.item] for name, column in shop.catalogue.inputs.items()
    }
    columns |= examples.look_back()
    columns["user_embedding"] = np.random.default_rng(0).normal(size=(rows, 64)).astype(np.float32)
    return {port.name: columns[port.name] for port in session.get_inputs()}


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_onnx_and_saved_model_give_what_the_model_gives(  # noqa: PLR0917 - fixtures
    shop, exported, tower, ranker, name, rows
):
    model = {"query_tower": tower.query, "candidate_tower": tower.candidate, "dlrm": ranker.score}[name]
    session = onnxruntime.InferenceSession(str(exported[name] / f"{name}.onnx"))
    inputs = inputs_of(shop, session, rows)
    tensors = {key: tf.constant(column) for key, column in inputs.items()}
    expected = model(tensors).numpy()
    saved = tf.saved_model.load(str(exported[name] / export.SAVEDMODELS / name))
    from_saved = saved.signatures["serving_default"](**tensors)[OUTPUTS[name]].numpy()
    np.testing.assert_allclose(from_saved, expected, atol=1e-5)
    np.testing.assert_allclose(session.run([OUTPUTS[name]], inputs)[0], expected, atol=1e-5)
    assert expected.shape == (rows, 1 if name == "dlrm" else schema.EMBEDDING_DIM)


def test_inputs_are_named_as_the_features(exported):
    wanted = {
        "query_tower": {*schema.USER_FEATURES, *schema.CONTEXT_FEATURES},
        "candidate_tower": {*schema.ITEM_FEATURES, *schema.EMBEDDING_FEATURES},
        "dlrm": {*FEATURES, "user_embedding"},
    }
    for name, names in wanted.items():
        session = onnxruntime.InferenceSession(str(exported[name] / f"{name}.onnx"))
        assert {port.name for port in session.get_inputs()} == names
        assert all(isinstance(port.shape[0], str) for port in session.get_inputs())


def _ranker(shop, training, towers, seed: int) -> Ranker:
    """One with weights and numbers drawn at random."""
    model = dlrm.build(shop.workflows, training.ranking, seed)
    items = {name: tf.constant(column) for name, column in shop.catalogue.inputs.items()}
    model(tile(tensors(shop.examples.take(np.arange(1))), items, tf.zeros((1, 1), tf.int64)))
    intent = Intent(shop.catalogue, towers.items, 4, seed)
    rng = np.random.default_rng(seed)
    for variable in [*model.variables, *intent.weights]:
        variable.assign(rng.normal(0, 0.1, variable.shape).astype(np.float32))
    level, slope, offset = rng.uniform(0.5, 2, 3).tolist()
    return Ranker(model, towers, level, intent, slope, offset)


@pytest.fixture(scope="module")
def parent(shop, training, ranker, tmp_path_factory) -> Parent:
    folder = tmp_path_factory.mktemp("parent")
    export.export_ranker(_ranker(shop, training, ranker.towers, 1), folder)
    return Parent(folder, training, shop.workflows, shop.catalogue)


def test_a_ranker_with_other_weights_needs_no_conversion(  # noqa: PLR0917 - fixtures
    shop, training, ranker, parent, tmp_path, monkeypatch
):
    """And scores to the bit what its conversion does."""
    other = _ranker(shop, training, ranker.towers, 2)
    export.export_ranker(other, tmp_path / "converted")
    monkeypatch.setattr(export, "convert", lambda *_: pytest.fail("converted"))
    like = export.Like(parent.path / schema.DLRM_ONNX, parent.learned())
    export.export_ranker(other, tmp_path / "written", like)
    scores = []
    for folder in ("converted", "written"):
        session = onnxruntime.InferenceSession(str(tmp_path / folder / schema.DLRM_ONNX))
        inputs = inputs_of(shop, session, 200)
        scores.append(session.run(["score"], inputs)[0])
    np.testing.assert_array_equal(*scores)
    again = Parent(tmp_path / "written", training, shop.workflows, shop.catalogue).learned()
    for one, two in zip(again, [*(each.numpy() for each in other.variables), *other.numbers], strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("changed", ["another catalogue", "nothing is kept", "no newest clicks"])
def test_a_ranker_of_another_make_is_converted(  # noqa: PLR0917 - fixtures
    shop, training, ranker, parent, tmp_path, changed
):
    other = _ranker(shop, training, ranker.towers, 2)
    learned = parent.learned()
    if changed == "another catalogue":
        dearer = shop.catalogue.inputs | {"price": shop.catalogue.inputs["price"] + 1}
        catalogue = dataclasses.replace(shop.catalogue, inputs=dearer)
        other = dataclasses.replace(other, intent=Intent(catalogue, ranker.towers.items, 4, 2))
    elif changed == "nothing is kept":
        learned = []
    else:
        other = dataclasses.replace(other, intent=None)
    export.export_ranker(other, tmp_path, export.Like(parent.path / schema.DLRM_ONNX, learned))
    session = onnxruntime.InferenceSession(str(tmp_path / schema.DLRM_ONNX))
    inputs = inputs_of(shop, session, 50)
    expected = other.score({key: tf.constant(column) for key, column in inputs.items()}).numpy()
    np.testing.assert_allclose(session.run(["score"], inputs)[0], expected, atol=1e-5)


def test_tables_of_a_ranker_are_not_converted(ranker, tmp_path, converted):
    export.export_ranker(ranker, tmp_path)
    written = onnx.load(str(tmp_path / schema.DLRM_ONNX))
    users = blocks.embedding_tables(ranker.model)["user_id"].numpy()
    there = [
        any(np.array_equal(onnx.numpy_helper.to_array(place), users) for place in model.graph.initializer)
        for model in (*converted, written)
    ]
    assert there == [False, True]


def test_the_check_of_an_export_looks_at_every_code(tower, tmp_path, monkeypatch):
    """And not only at such as any table holds."""

    def another(trace, signature, path, tables):
        (table,) = (each.variable for name, each in tables.items() if name == "user_id")
        kept = table.numpy()
        table.assign(np.concatenate([kept[:8], kept[8:] + 1]))
        try:
            convert(trace, signature, path, tables)
        finally:
            table.assign(kept)

    convert = export.convert
    monkeypatch.setattr(export, "convert", another)
    with pytest.raises(RecsysError, match="differs from the model"):
        export.export_query(tower.query, tmp_path)
