"""A small DLRM in the shape in which the project exports one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from recsys import schema

WIDTH = 16
CODES = {
    name: 5 for name, dtype in (schema.USER_FEATURES | schema.CONTEXT_FEATURES).items() if dtype.kind == "i"
}
CODES |= {"user_id": 40, "item_id": 60, "category_l1": 7, "category_l2": 11, "item_gender": 4}
NUMBERS = (
    "age",
    "hour_cos",
    "hour_sin",
    "image_embedding",
    "price",
    "text_embedding",
    "weekday_cos",
    "weekday_sin",
)


def make_dlrm(path: Path, seed: int = 0, *, towers: bool = False) -> Path:
    """Write one with random weights: every input [rows, 1], embeddings [rows, 64], `score` [rows, 1].

    Args:
        path: The file.
        seed: Of the weights.
        towers: Whether it corrects the score of two towers, which it then holds.
    """
    maker = _Maker(np.random.default_rng(seed))
    bottom = maker.dense(maker.add("Concat", NUMBERS, axis=1), 6 + 2 * schema.EMBEDDING_DIM, (8, WIDTH))
    vectors = [maker.lookup(name) for name in CODES]
    vectors.insert(2, bottom)  # the exporter sorts by layer name: the bottom stands among the tables
    axis = maker.put("axis", np.array([1]))
    stacked = maker.add("Concat", [maker.add("Unsqueeze", [each, axis]) for each in vectors], axis=1)
    products = maker.add("MatMul", [stacked, maker.add("Transpose", [stacked], perm=[0, 2, 1])])
    count = len(vectors)
    flat = maker.add("Reshape", [products, maker.put("flat", np.array([-1, count * count]))])
    upper = np.flatnonzero(np.triu(np.ones((count, count)), 1))
    pairs = maker.add("Gather", [flat, maker.put("upper", upper)], axis=1)
    joined = maker.add("Concat", [bottom, pairs], axis=1)
    logit = maker.dense(joined, WIDTH + len(upper), (8, 6, 1))
    if towers:
        logit = maker.add(
            "Add", [logit, maker.add("Sub", [_retrieval(maker), maker.put("level", np.float32(1.5))])]
        )
    maker.nodes.append(helper.make_node("Softsign" if towers else "Sigmoid", [logit], ["score"]))
    maker.save(path)
    return path


def _retrieval(maker: _Maker) -> str:
    """The inner product of a user's and an item's embedding, each of some of their features."""
    user = maker.dense(maker.add("Concat", ["age", "hour_sin"], axis=1), 2, (6, 8))
    user = maker.add("Add", [user, maker.lookup("user_id", 8)])
    item = maker.dense(
        maker.add("Concat", ["price", "text_embedding"], axis=1), 1 + schema.EMBEDDING_DIM, (6, 8)
    )
    item = maker.add("Add", [item, maker.lookup("item_id", 8)])
    axis = maker.put("columns", np.array([1]))
    return maker.add("ReduceSum", [maker.add("Mul", [user, item]), axis], keepdims=1)


class _Maker:
    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._weights: list[TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []

    def add(self, kind: str, inputs: list[str] | tuple[str, ...], **attributes: object) -> str:
        output = f"tensor_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def put(self, name: str, array: np.ndarray) -> str:
        self._weights.append(numpy_helper.from_array(array, name))
        return name

    def lookup(self, name: str, width: int = WIDTH) -> str:
        codes = self.add("Squeeze", [name, self.put(f"{name}_axis_{width}", np.array([-1]))])
        table = self._rng.normal(size=(CODES[name], width)).astype(np.float32)
        return self.add("Gather", [self.put(f"{name}_table_{width}", table), codes])

    def dense(self, tensor: str, width: int, hidden: tuple[int, ...]) -> str:
        for at, size in enumerate(hidden):
            if at:
                tensor = self.add("Relu", [tensor])
            weights = (self._rng.normal(size=(width, size)) / width**0.5).astype(np.float32)
            product = self.add("MatMul", [tensor, self.put(f"w{len(self.nodes)}", weights)])
            bias = self.put(f"b{len(self.nodes)}", self._rng.normal(size=size).astype(np.float32))
            tensor = self.add("Add", [product, bias])
            width = size
        return tensor

    def save(self, path: Path) -> None:
        ports = [helper.make_tensor_value_info(name, TensorProto.INT64, [None, 1]) for name in CODES]
        for name in NUMBERS:
            size = schema.EMBEDDING_DIM if name in schema.EMBEDDING_FEATURES else 1
            ports.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, size]))
        score = helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])
        graph = helper.make_graph(self.nodes, "dlrm", ports, [score], self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)
