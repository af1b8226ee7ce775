from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from recsys import schema
from recsys.models import export
from recsys.models.dlrm import FEATURES

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
