"""A model as an ONNX file, converted without its tables.

tf2onnx copies a graph before each of its passes, constants and all, and freezing one makes some twenty copies
more. With a row for each of 300,000 users that is 9 GB. So what is converted has a few rows in place of each
table, and the table itself is put into the file afterwards: it is there once, and once more while it is
written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import merlin.models.tf as mm
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnx import numpy_helper

Signature = dict[str, tf.TensorSpec]

_OPSET: Final = 17
_ROWS: Final = 8
"""Of what is converted in place of a table: enough that no other constant holds the same."""


@dataclass(frozen=True)
class Table:
    """A variable of which a model only looks rows up: what it computes does not depend on their number.

    Attributes:
        owner: What holds it.
        name: Its attribute's.
    """

    owner: Any
    name: str

    @property
    def variable(self) -> tf.Variable:
        """The table, [rows, ...]."""
        return getattr(self.owner, self.name)


def embedding_tables(block: tf.Module) -> dict[str, Table]:
    """Of each category in a built block, the table that its codes look up."""
    layers = [layer for layer in block.submodules if isinstance(layer, mm.EmbeddingTable)]
    return {name: Table(layer.table, "embeddings") for layer in layers for name in layer.features}


def convert(trace: Callable[[], Any], signature: Signature, path: Path, tables: Mapping[str, Table]) -> None:
    """Writes what a model computes as an ONNX file.

    Args:
        trace: Makes a `tf.function` of the model as it is now; called once, or twice where of a table
            something is computed beforehand.
        signature: The model's inputs.
        path: The file.
        tables: The model's, by any name; one may have several.
    """
    each = list(dict.fromkeys(tables.values()))
    with _few_rows(each) as samples:
        model = _converted(trace(), signature)
    for table, sample in zip(each, samples, strict=True):
        places = [place for place in model.graph.initializer if _holds(place, sample)]
        if not places:
            model = _converted(trace(), signature)
            break
        for place in places:
            place.CopyFrom(numpy_helper.from_array(table.variable.numpy(), place.name))
    onnx.save(model, str(path))


def _converted(function: Any, signature: Signature) -> onnx.ModelProto:
    model, _ = tf2onnx.convert.from_function(
        function, input_signature=[signature], opset=_OPSET, large_model=False
    )
    return model


@contextmanager
def _few_rows(tables: Sequence[Table]) -> Iterator[list[np.ndarray]]:
    """Puts a variable of a few random rows in the place of each table, for a while."""
    rng = np.random.default_rng(0)
    kept = [table.variable for table in tables]
    samples = [_sample(each, rng) for each in kept]
    try:
        for table, sample in zip(tables, samples, strict=True):
            # Not by `setattr`: Keras would enter it among the layer's weights.
            vars(table.owner)[table.name] = tf.Variable(sample, trainable=False)
        yield samples
    finally:
        for table, variable in zip(tables, kept, strict=True):
            vars(table.owner)[table.name] = variable


def _sample(table: tf.Variable, rng: np.random.Generator) -> np.ndarray:
    shape, dtype = (_ROWS, *table.shape[1:]), table.dtype.as_numpy_dtype
    if np.issubdtype(dtype, np.integer):
        return rng.integers(np.iinfo(np.int32).max, size=shape).astype(dtype)
    return rng.normal(size=shape).astype(dtype)


def _holds(place: onnx.TensorProto, values: np.ndarray) -> bool:
    return tuple(place.dims) == values.shape and np.array_equal(numpy_helper.to_array(place), values)
