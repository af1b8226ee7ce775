from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from recsys import schema
from recsys.errors import BadData
from recsys.models.parity import parity

_TABLE = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of one query tower, which looks up a row by gender and pays no heed to the age."""
    folder = tmp_path_factory.mktemp("release")
    module = tf.Module()
    module.table = tf.Variable(_TABLE)
    columns = {"gender": tf.int64, "age": tf.float32}
    signature = {name: tf.TensorSpec([None, 1], dtype, name=name) for name, dtype in columns.items()}

    @tf.function(input_signature=[signature], autograph=False)
    def serve(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"user_embedding": tf.gather(module.table, inputs["gender"][:, 0])}

    module.serve = serve
    target = str(folder / "savedmodels" / "query_tower")
    tf.saved_model.save(module, target, signatures={"serving_default": serve})
    return folder


def _export(folder: Path, table: np.ndarray) -> None:
    nodes = [
        helper.make_node("Squeeze", ["gender", "axis"], ["codes"]),
        helper.make_node("Gather", ["table", "codes"], ["user_embedding"]),
    ]
    weights = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([1]), "axis")]
    gender = helper.make_tensor_value_info("gender", TensorProto.INT64, [None, 1])
    found = helper.make_tensor_value_info("user_embedding", TensorProto.FLOAT, [None, 4])
    graph = helper.make_graph(nodes, "tower", [gender], [found], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / schema.QUERY_TOWER_ONNX)


def test_export_of_what_was_trained_is_equal(saved: Path) -> None:
    _export(saved, _TABLE)
    assert parity(saved) == {"query_tower": 0.0}


def test_distance_is_a_share_of_the_greatest_output(saved: Path) -> None:
    moved = _TABLE.copy()
    moved[:4, 0] += 0.5
    _export(saved, moved)
    assert parity(saved)["query_tower"] == pytest.approx(0.5 / max(1, np.abs(_TABLE[:4]).max()), rel=1e-5)


def test_export_that_cannot_be_compared_is_named(saved: Path) -> None:
    (saved / schema.QUERY_TOWER_ONNX).write_bytes(b"cut")
    with pytest.raises(BadData, match=r"query_tower\.onnx: cannot be compared"):
        parity(saved)


def test_release_without_saved_models_has_nothing_to_compare(tmp_path: Path) -> None:
    assert parity(tmp_path) == {}


def test_outputs_are_compared_by_name_whatever_their_order(tmp_path: Path) -> None:
    """A SavedModel puts them in the order of their names."""
    module = tf.Module()
    signature = {"age": tf.TensorSpec([None, 1], tf.float32, name="age")}

    @tf.function(input_signature=[signature], autograph=False)
    def serve(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"score": inputs["age"] * 2.0, "cart": inputs["age"] - 1.0}

    module.serve = serve
    tf.saved_model.save(module, str(tmp_path / "savedmodels" / "dlrm"), signatures={"serving_default": serve})
    nodes = [
        helper.make_node("Mul", ["age", "two"], ["score"]),
        helper.make_node("Sub", ["age", "one"], ["cart"]),
    ]
    weights = [numpy_helper.from_array(np.float32([value]), name) for name, value in (("two", 2), ("one", 1))]
    age, *found = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("age", "score", "cart")
    )
    graph = helper.make_graph(nodes, "dlrm", [age], found, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / schema.DLRM_ONNX)
    assert parity(tmp_path) == {"dlrm": 0.0}
