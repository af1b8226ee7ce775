from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from recsys.models import conversion
from recsys.models.conversion import Table, convert

_CODES, _WIDTH = 5_000, 3
_SIGNATURE = {"code": tf.TensorSpec([None, 1], tf.int64, name="code")}


class _Model(tf.Module):
    """Rows of one table times numbers of another one."""

    def __init__(self, by: float = 1.0) -> None:
        super().__init__()
        rng = np.random.default_rng(1)
        self.vectors = tf.Variable(rng.normal(size=(_CODES, _WIDTH)).astype(np.float32))
        self.counts = tf.Variable(rng.integers(9, size=(_CODES, 2)).astype(np.int64))
        self.by = by

    def __call__(self, code: tf.Tensor) -> tf.Tensor:
        counts = tf.cast(tf.gather(self.counts, code[:, 0]), tf.float32)
        vectors = self.vectors if self.by == 1.0 else self.by * self.vectors
        return tf.gather(vectors, code[:, 0]) * counts[:, :1]

    @property
    def tables(self) -> dict[str, Table]:
        return {name: Table(self, name) for name in ("vectors", "counts")}


def _tracer(model: _Model) -> Callable[[], Any]:
    def trace() -> Any:
        @tf.function(input_signature=[_SIGNATURE], autograph=False)
        def serve(inputs):
            return {"y": model(inputs["code"])}

        return serve

    return trace


def _answers(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"code": np.arange(_CODES)[:, None]})
    return np.asarray(found)


def _operations(path: Path) -> list[str]:
    """Sorted: tf2onnx's order and names differ from one conversion to the next."""
    return sorted(node.op_type for node in onnx.load(str(path)).graph.node)


def _most(models: list[onnx.ModelProto]) -> list[int]:
    """Of each, the numbers in its largest constant."""
    return [max(int(np.prod(place.dims)) for place in model.graph.initializer) for model in models]


def test_tables_are_in_the_file_but_are_not_converted(tmp_path, converted):
    model = _Model()
    before = model.vectors
    convert(_tracer(model), _SIGNATURE, tmp_path / "model.onnx", model.tables)
    assert _most(converted) == [conversion._ROWS * _WIDTH]
    np.testing.assert_array_equal(_answers(tmp_path / "model.onnx"), model(np.arange(_CODES)[:, None]))
    assert model.vectors is before
    assert len(model.variables) == 2


def test_the_file_is_that_of_a_conversion_with_tables(tmp_path):
    model, without, whole = _Model(), tmp_path / "without.onnx", tmp_path / "with.onnx"
    convert(_tracer(model), _SIGNATURE, without, model.tables)
    convert(_tracer(model), _SIGNATURE, whole, {})
    assert _operations(without) == _operations(whole)
    np.testing.assert_array_equal(_answers(without), _answers(whole))


def test_a_table_of_which_something_was_computed_beforehand_is_converted(tmp_path, converted):
    model = _Model(by=2.0)
    convert(_tracer(model), _SIGNATURE, tmp_path / "model.onnx", model.tables)
    assert _most(converted) == [conversion._ROWS * _WIDTH, _CODES * _WIDTH]
    np.testing.assert_array_equal(_answers(tmp_path / "model.onnx"), model(np.arange(_CODES)[:, None]))


def test_tables_are_back_after_a_failure(tmp_path):
    model = _Model()
    before = [model.vectors, model.counts]

    def broken() -> Any:
        raise ValueError("no trace")

    with pytest.raises(ValueError, match="no trace"):
        convert(broken, _SIGNATURE, tmp_path / "model.onnx", model.tables)
    assert [model.vectors, model.counts] == before
