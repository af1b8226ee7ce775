"""The ranker rewritten so that what depends on the user alone is computed once a user, not once a candidate.

The exported DLRM reads one row a candidate, with the user's features repeated in each. Its first layers are
linear in them, so they fall apart into a user's part and an item's part whose sum is the same:

    relu([user, item] W + b) = relu((user W_u + b) + item W_i)

The interactions too: user with user is computed once a user; a category, of which there are few, meets the
user's and the bottom network's vectors as a whole table, from which candidates take their row; and the dot
products of two item categories do not depend on a request at all, so they are a table made here. The
exporter's mask of pairs, which it makes anew at every call, is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from recsys import schema
from recsys.errors import RecsysError
from recsys.release.dlrm_parts import Dense, DlrmParts, UnknownGraph, read_parts

_TOLERANCE: Final = 1e-5
_CHECKED: Final = (3, 17)
"""Users and candidates of the comparison with the export."""
_OPSET: Final = 17
_USER_SIDE: Final = (*schema.USER_FEATURES, *schema.CONTEXT_FEATURES)
_SMALL_TABLE: Final = 1_024
"""Codes up to which a whole table is multiplied rather than each candidate's row of it."""
_PAIR_TABLE: Final = 1 << 20
"""Numbers up to which the dot products of two item categories are a table: 4 MB."""


def write_broadcast(release_dir: Path) -> bool:
    """Write `schema.DLRM_BROADCAST_ONNX` beside a release's ranker.

    Args:
        release_dir: Folder with `schema.DLRM_ONNX`.

    Returns:
        Whether it was written: False for a ranker of another shape, which is then served as it is.

    Raises:
        RecsysError: What was written does not compute the same.
    """
    source, target = release_dir / schema.DLRM_ONNX, release_dir / schema.DLRM_BROADCAST_ONNX
    try:
        parts = read_parts(onnx.load(source))
    except UnknownGraph:
        return False
    onnx.save(build(parts), target)
    worst = difference(source, target, parts)
    if not worst <= _TOLERANCE:
        target.unlink()
        raise RecsysError(str(target), f"differs from the export by {worst:.2g}", "Report it: this is a bug")
    return True


def build(parts: DlrmParts) -> Any:
    """The same function over [B, ...] users and [B, K, ...] candidates.

    Args:
        parts: Of the exported graph.

    Returns:
        An `onnx.ModelProto`: user and context features [B, 1], item features [B, K], embeddings [B, K, 64];
        `score` float32 [B, K].
    """
    return _Builder(parts).build()


class _Builder:
    """Writes the graph; R stands for B * K, one row a user and candidate."""

    def __init__(self, parts: DlrmParts) -> None:
        self._parts = parts
        self._nodes: dict[str, Any] = {}
        self._weights: dict[str, Any] = {}
        self._users = [name for name in parts.stacked if name in _USER_SIDE]
        self._items = [name for name in parts.stacked if name not in _USER_SIDE]  # the bottom's "" among them
        self._width = parts.bottom[-1].weights.shape[1]

    def build(self) -> Any:
        score = self._top(self._bottom())
        self._add("Sigmoid", [score], "flat_score")
        self._add("Reshape", ["flat_score", self._add("Shape", ["item_id"], "shape")], "score")
        return self._model()

    def _bottom(self) -> str:
        """The bottom network's output [R, width]."""
        first, *rest = self._parts.bottom
        rows = _rows_of_numbers(self._parts.numbers, first.weights)
        of_user = [name for name in self._parts.numbers if name in _USER_SIDE]
        joined = self._add("Concat", of_user, "user_numbers", axis=1)
        weights = self._put("bottom_user", np.concatenate([rows[name] for name in of_user]))
        once = self._add("Gemm", [joined, weights, self._put("bottom_bias", first.bias)], "bottom_once")
        total = self._add("Unsqueeze", [once, self._ints("axis_1", 1)], "bottom_user_rows")
        for name in self._parts.numbers:
            if name not in of_user:
                column = name
                if name not in schema.EMBEDDING_FEATURES:
                    column = self._add("Unsqueeze", [name, self._ints("axis_2", 2)], f"{name}_column")
                product = self._add(
                    "MatMul", [column, self._put(f"bottom_{name}", rows[name])], f"{name}_part"
                )
                total = self._add("Add", [product, total], f"{name}_sum")
        return self._layers(self._flat(total, first.weights.shape[1]), rest, "bottom")

    def _top(self, bottom: str) -> str:
        """The logit [R, 1]."""
        first, *rest = self._parts.top
        vectors = [self._add("Gather", [self._table(name), name], f"{name}_vectors") for name in self._users]
        users = self._add("Concat", vectors, "user_vectors", axis=1)
        turned = self._add("Transpose", [users], "users_turned", perm=[0, 2, 1])
        columns, weights = [bottom], [first.weights[: self._width]]
        for at, one in enumerate(self._items):
            for other in self._items[at + 1 :]:
                columns.append(self._item_pair(one, other, bottom))
                weights.append(self._pair_weights([one], [other]))
            columns.append(self._user_pairs(one, bottom, turned))
            weights.append(self._pair_weights(self._users, [one]))
        joined = self._add("Concat", columns, "top_in", axis=1)
        each = self._add("MatMul", [joined, self._put("top_item", np.concatenate(weights))], "top_each")
        width, grouped = len(first.bias), self._by_user(each, len(first.bias))
        total = self._add("Add", [grouped, self._user_once(users, turned, first)], "top_sum")
        return self._layers(self._flat(total, width), rest, "top")

    def _user_once(self, users: str, turned: str, first: Dense) -> str:
        """What user with user pairs and the bias add to the top's first layer, [B, 1, hidden]."""
        count = len(self._users)
        pairs = self._flat(self._add("MatMul", [users, turned], "user_user"), count * count)
        upper = np.triu(np.ones((count, count), np.float32), 1).reshape(-1, 1)
        weights = self._put("top_user", self._pair_weights(self._users, self._users) * upper)
        once = self._add("Gemm", [pairs, weights, self._put("top_bias", first.bias)], "top_once")
        return self._add("Unsqueeze", [once, "axis_1"], "top_user_rows")

    def _item_pair(self, one: str, other: str, bottom: str) -> str:
        """Dot products [R, 1] of two vectors of each candidate; "" is the bottom network's."""
        name = f"pair_{one}_{other}"
        if one and other and self._size(one) * self._size(other) <= _PAIR_TABLE:
            products = self._parts.tables[one] @ self._parts.tables[other].T
            table = self._put(f"{name}_table", products.reshape(-1))
            row = self._add("Mul", [one, self._ints(f"{name}_width", self._size(other))], f"{name}_row")
            place = self._add("Add", [row, other], f"{name}_place")
            return self._flat(self._add("Gather", [table, place], name), 1)
        category = one or other
        if not (one and other) and self._size(category) <= _SMALL_TABLE:
            turned = self._put(f"{category}_turned", self._parts.tables[category].T)
            products = self._add("MatMul", [bottom, turned], f"{name}_all")
            return self._add("GatherElements", [products, self._flat(category, 1)], name, axis=1)
        both = [bottom if not each else self._flat(self._vectors(each), self._width) for each in (one, other)]
        multiplied = self._add("Mul", both, f"{name}_product")
        return self._add("ReduceSum", [multiplied, "axis_1"], name, keepdims=1)

    def _user_pairs(self, item: str, bottom: str, turned: str) -> str:
        """Dot products [R, users' vectors] of one vector of each candidate with the user's."""
        if item and self._size(item) <= _SMALL_TABLE:
            products = self._add("MatMul", [self._table(item), turned], f"users_{item}_all")
            codes = self._add("Unsqueeze", [item, self._ints("axis_2", 2)], f"{item}_codes")
            found = self._add("GatherND", [products, codes], f"users_{item}", batch_dims=1)
        else:
            vectors = self._vectors(item) if item else self._by_user(bottom, self._width)
            found = self._add("MatMul", [vectors, turned], f"users_{item or 'bottom'}")
        return self._flat(found, len(self._users))

    def _pair_weights(self, left: Sequence[str], right: Sequence[str]) -> np.ndarray:
        """The top's weights of the pairs left x right, [pairs, hidden]; zeros for a vector with itself."""
        order = self._parts.stacked
        places = {pair: at for at, pair in enumerate(zip(*np.triu_indices(len(order), 1), strict=True))}
        weights = self._parts.top[0].weights[self._width :]
        rows = np.zeros((len(left), len(right), weights.shape[1]), np.float32)
        for i, one in enumerate(left):
            for j, other in enumerate(right):
                if one != other:
                    pair = sorted((order.index(one), order.index(other)))
                    rows[i, j] = weights[places[pair[0], pair[1]]]
        return rows.reshape(-1, weights.shape[1])

    def _layers(self, hidden: str, layers: Sequence[Dense], name: str) -> str:
        for at, layer in enumerate(layers):
            active = self._add("Relu", [hidden], f"{name}_{at}_active")
            weights = self._put(f"{name}_{at}_weights", layer.weights)
            hidden = self._add(
                "Gemm", [active, weights, self._put(f"{name}_{at}_bias", layer.bias)], f"{name}_{at}"
            )
        return hidden

    def _table(self, name: str) -> str:
        return self._put(f"{name}_table", self._parts.tables[name])

    def _vectors(self, name: str) -> str:
        return self._add("Gather", [self._table(name), name], f"{name}_vectors")

    def _size(self, name: str) -> int:
        return len(self._parts.tables[name])

    def _flat(self, tensor: str, width: int) -> str:
        """[B, K, ...] as [R, width]."""
        return self._add("Reshape", [tensor, self._ints(f"rows_{width}", -1, width)], f"{tensor}_flat")

    def _by_user(self, tensor: str, width: int) -> str:
        """[R, width] as [B, K, width]."""
        shape = self._add("Shape", ["item_id"], "shape")
        target = self._add("Concat", [shape, self._ints(f"width_{width}", width)], f"by_user_{width}", axis=0)
        return self._add("Reshape", [tensor, target], f"{tensor}_by_user")

    def _add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """A node, once: asking for the same output again gives the first."""
        if output not in self._nodes:
            self._nodes[output] = helper.make_node(kind, list(inputs), [output], **attributes)
        return output

    def _ints(self, name: str, *values: int) -> str:
        return self._put(name, np.array(values, np.int64))

    def _put(self, name: str, array: np.ndarray) -> str:
        if name not in self._weights:
            self._weights[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def _model(self) -> Any:
        ports = []
        for name in (*self._parts.tables, *self._parts.numbers):
            kind = TensorProto.INT64 if name in self._parts.tables else TensorProto.FLOAT
            shape: list[Any] = ["users", 1] if name in _USER_SIDE else ["users", "candidates"]
            if name in schema.EMBEDDING_FEATURES:
                shape = [*shape, schema.EMBEDDING_DIM]
            ports.append(helper.make_tensor_value_info(name, kind, shape))
        score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["users", "candidates"])
        nodes, weights = list(self._nodes.values()), list(self._weights.values())
        graph = helper.make_graph(nodes, "dlrm_broadcast", ports, [score], weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
        onnx.checker.check_model(model)
        return model


def _rows_of_numbers(numbers: Sequence[str], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Each numeric feature's rows of the bottom's first weights."""
    rows, at = {}, 0
    for name in numbers:
        width = schema.EMBEDDING_DIM if name in schema.EMBEDDING_FEATURES else 1
        rows[name] = weights[at : at + width]
        at += width
    return rows


def difference(export: Path, rewritten: Path, parts: DlrmParts, seed: int = 0) -> float:
    """The greatest difference between the scores of the two files on random users and candidates."""
    rng = np.random.default_rng(seed)
    users, candidates = _CHECKED
    grouped: dict[str, np.ndarray] = {}
    for name in (*parts.tables, *parts.numbers):
        shape: tuple[int, ...] = (users, 1 if name in _USER_SIDE else candidates)
        if name in parts.tables:
            grouped[name] = rng.integers(0, len(parts.tables[name]), shape)
        else:
            shape = (*shape, schema.EMBEDDING_DIM) if name in schema.EMBEDDING_FEATURES else shape
            grouped[name] = rng.normal(size=shape).astype(np.float32)
    tiled = {}
    for name, array in grouped.items():
        tail = array.shape[2:] or (1,)
        tiled[name] = np.broadcast_to(array, (users, candidates, *array.shape[2:])).reshape(-1, *tail)
    expected = _run(export, tiled).reshape(users, candidates)
    return float(np.abs(_run(rewritten, grouped) - expected).max())


def _run(path: Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = {port.name for port in session.get_inputs()}
    scores: np.ndarray = session.run(["score"], {name: inputs[name] for name in names})[0]
    return scores
