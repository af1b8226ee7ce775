"""The part of a ranker where user and item meet, written over [B, 1, ...] users and [B, K, ...] items.

The export reads one row a candidate, with the user's features repeated in each. Where user and item first
meet, the layer is linear in them, so it falls apart into a user's part and an item's part with the same sum:

    [user, item] W + b = (user W_u + b) + item W_i

So do the interactions: a dot product of two of the user's vectors is the user's, one of two of the item's is
the item's; only the mixed ones are left for each candidate. What a vector that depends on both (the bottom
network's) gives with the user's vectors is linear in it, so it becomes a matrix of the user's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
from onnx import helper, numpy_helper

from recsys.release.dlrm_graph import CONSTANT, ITEM, PAIR, USER, Graph, UnknownGraph
from recsys.release.dlrm_shapes import columns, interactions

_ELEMENTWISE: Final = (
    *("Add", "Div", "Mul", "Pow", "Sub", "Abs", "Exp", "Identity", "Log", "Neg", "Sqrt"),
    *("Elu", "LeakyRelu", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh"),
)


class Pairs:
    """The nodes over [B, K, ...] that make the score out of a user's and an item's tensors.

    Args:
        graph: The export; gets the nodes that the user's and the item's parts need besides.
        output: Name of the score's tensor there.

    Attributes:
        nodes: In an order in which they can run.
        constants: Theirs, as initialisers.
        users: Tensors of the graph -> their names here, [B, ...] as they are there.
        items: Tensors of the graph [rows, width] -> their names here, [B, K, width].
        score: Name of the score [B, K, 1].

    Raises:
        UnknownGraph: Something meets in a way that is not known.
    """

    def __init__(self, graph: Graph, output: str) -> None:
        self._graph = graph
        self._names: dict[str, str] = {}
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.users: dict[str, str] = {}
        self.items: dict[str, str] = {}
        if graph.side(output) != PAIR:
            raise UnknownGraph("the score does not depend on user and item")
        self.score = self._value(output)

    def _value(self, name: str) -> str:
        """A tensor of the graph, [rows, width], as it is here: [B, 1, width] or [B, K, width]."""
        if name not in self._names:
            self._names[name] = self._made(name)
        return self._names[name]

    def _made(self, name: str) -> str:
        side, array = self._graph.side(name), self._graph.array(name)
        if array is not None:
            if array.ndim > 1 and array.shape[0] != 1:
                raise UnknownGraph(f"{name} is a constant with rows")
            return self._put(array)
        if side == USER:
            self._graph.width(name)
            return self._add("Unsqueeze", [self._user(name), self._ints(1)])
        if name in self._graph.inputs and side == PAIR:
            return self._add("Unsqueeze", [name, self._ints(2)])
        return self._item(name) if side == ITEM else self._met(self._graph.maker(name))

    def _met(self, node: Any) -> str:
        """The output of a node that depends on user and item."""
        weights = self._matrix(node.input[1]) if node.op_type == "MatMul" else None
        if weights is not None:
            return self._sum(self._product(node.input[0], weights))
        if node.op_type == "ReduceSum":
            return self._inner_product(node)
        if node.op_type not in _ELEMENTWISE:
            raise UnknownGraph(f"{node.op_type} of user and item")
        if (biased := self._biased(node)) is not None:
            return biased
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        return self._add(node.op_type, [self._value(each) for each in node.input], **attributes)

    def _biased(self, node: Any) -> str | None:
        """A layer whose bias is added to the user's part, once a user; None if it is no such layer."""
        product = next((found for each in node.input if (found := self._graph.maker(each, "MatMul"))), None)
        bias = next((each for each in node.input if self._graph.side(each) == CONSTANT), None)
        weights = None if product is None else self._matrix(product.input[1])
        if node.op_type != "Add" or product is None or bias is None or weights is None:
            return None
        if self._graph.side(product.output[0]) != PAIR:
            return None
        return self._sum(self._product(product.input[0], weights), bias)

    def _inner_product(self, node: Any) -> str:
        """Sum over the columns of a user's tensor times another."""
        product = self._graph.maker(node.input[0], "Mul")
        if product is None:
            raise UnknownGraph("ReduceSum of user and item")
        user, other = sorted(product.input, key=lambda name: self._graph.side(name) != USER)
        axes = self._graph.array(node.input[1])
        if self._graph.side(user) != USER or axes is None or axes.tolist() not in ([1], [-1]):
            raise UnknownGraph("ReduceSum of user and item")
        column = self._add("Unsqueeze", [self._user(user), self._ints(2)])
        return self._add("MatMul", [self._value(other), column])

    def _product(self, name: str, weights: np.ndarray) -> list[tuple[str, str]]:
        """The terms whose sum is a tensor times constant weights: of whom each is, and its name.

        Those of the user and the item are tensors of the graph, those of both are here.
        """
        terms: list[tuple[str, str]] = []
        mixed: list[tuple[str, np.ndarray]] = []
        alone: dict[str, list[tuple[str, np.ndarray]]] = {USER: [], ITEM: []}
        for column, rows in columns(self._graph, name, weights):
            if found := interactions(self._graph, column):
                terms += self._interactions(*found, rows, mixed)
            elif self._graph.side(column) == PAIR:
                mixed.append((self._value(column), rows))
            else:
                alone[self._graph.side(column)].append((column, rows))
        for side, own in alone.items():
            if own:
                terms.append((side, self._linear([each for each, _ in own], [rows for _, rows in own])))
        if mixed:
            joined = mixed[0][0]
            if len(mixed) > 1:
                joined = self._add("Concat", [each for each, _ in mixed], axis=2)
            together = self._put(np.concatenate([rows for _, rows in mixed]))
            terms.append((PAIR, self._add("MatMul", [joined, together])))
        return terms

    def _interactions(
        self,
        vectors: Sequence[str],
        places: np.ndarray,
        weights: np.ndarray,
        mixed: list[tuple[str, np.ndarray]],
    ) -> list[tuple[str, str]]:
        """What the picked dot products times weights come to; adds columns of both to `mixed`."""
        count, hidden, width = len(vectors), weights.shape[1], self._graph.width(vectors[0])
        table = np.zeros((count, count, hidden), np.float32)
        for place, row in zip(places.tolist(), weights, strict=True):
            one, other = divmod(place, count)
            if one == other:
                raise UnknownGraph("a vector's product with itself")
            table[one, other] += row
            table[other, one] += row
        sides = [self._graph.side(each) for each in vectors]
        users, items, both = (
            [at for at, side in enumerate(sides) if side == wanted] for wanted in (USER, ITEM, PAIR)
        )
        terms = [
            (side, self._among([vectors[at] for at in places_of], table[np.ix_(places_of, places_of)]))
            for side, places_of in ((USER, users), (ITEM, items))
            if len(places_of) > 1
        ]
        stack = self._item_stack([vectors[at] for at in items]) if items and (users or both) else ""
        if users and items:
            turned = self._user(self._turned([vectors[at] for at in users]))
            rows = self._add("Reshape", [stack, self._ints(0, -1, width)])
            products = self._add("MatMul", [rows, turned])  # [B, K * items, users]
            flat = self._add("Reshape", [products, self._ints(0, -1, len(items) * len(users))])
            mixed.append((flat, table[np.ix_(items, users)].reshape(-1, hidden)))
        for at in both:
            if users:
                matrix = self._matrix_of_user([vectors[user] for user in users], table[at, users])
                terms.append((PAIR, self._add("MatMul", [self._value(vectors[at]), self._user(matrix)])))
            if items:
                each = self._add("Reshape", [stack, self._ints(0, 0, len(items), width)])
                own = self._add("Unsqueeze", [self._value(vectors[at]), self._ints(2)])
                dots = self._add("ReduceSum", [self._add("Mul", [each, own]), self._ints(3)], keepdims=0)
                mixed.append((dots, table[at, items]))
        for one, other in combinations(both, 2):
            product = self._add("Mul", [self._value(vectors[one]), self._value(vectors[other])])
            dot = self._add("ReduceSum", [product, self._ints(2)], keepdims=1)
            mixed.append((dot, table[one, [other]]))
        return terms

    def _among(self, vectors: Sequence[str], table: np.ndarray) -> str:
        """Dot products among one side's own vectors, times weights; the side's."""
        graph, count, hidden = self._graph, len(vectors), table.shape[2]
        stack, turned = self._stack(vectors), self._turned(vectors)
        square = graph.add("MatMul", [stack, turned], (count, count))
        flat = graph.add("Reshape", [square, graph.put(np.array([-1, count * count]))], (count * count,))
        upper = np.triu(np.ones((count, count), np.float32), 1)[:, :, None]
        weights = graph.put((table * upper).reshape(-1, hidden))
        return graph.add("MatMul", [flat, weights], (hidden,))

    def _matrix_of_user(self, vectors: Sequence[str], weights: np.ndarray) -> str:
        """[B, width, hidden]: what a vector is multiplied with instead of with each of the user's."""
        width, hidden = self._graph.width(vectors[0]), weights.shape[1]
        return self._graph.add("MatMul", [self._turned(vectors), self._graph.put(weights)], (width, hidden))

    def _item_stack(self, vectors: Sequence[str]) -> str:
        """Some of the item's vectors one after the other, [B, K, vectors * width]."""
        width = self._graph.width(vectors[0]) * len(vectors)
        return self._item(self._graph.add("Concat", vectors, (width,), axis=1))

    def _stack(self, vectors: Sequence[str]) -> str:
        width, axis = self._graph.width(vectors[0]), self._graph.put(np.array([1]))
        rows = [self._graph.add("Unsqueeze", [each, axis], (1, width)) for each in vectors]
        return self._graph.add("Concat", rows, (len(vectors), width), axis=1)

    def _turned(self, vectors: Sequence[str]) -> str:
        shape = (self._graph.width(vectors[0]), len(vectors))
        return self._graph.add("Transpose", [self._stack(vectors)], shape, perm=[0, 2, 1])

    def _linear(self, columns: Sequence[str], rows: Sequence[np.ndarray]) -> str:
        """Columns of one side times weights, of the same side."""
        graph, joined = self._graph, columns[0]
        if len(columns) > 1:
            joined = graph.add("Concat", columns, (sum(map(graph.width, columns)),), axis=1)
        weights = np.concatenate(rows)
        return graph.add("MatMul", [joined, graph.put(weights)], (weights.shape[1],))

    def _sum(self, terms: Sequence[tuple[str, str]], bias: str = "") -> str:
        """The sum of terms of all sides, each side's own added up on its side."""
        graph, total = self._graph, ""
        of_user = [name for side, name in terms if side == USER] + [bias] * bool(bias)
        of_item = [name for side, name in terms if side == ITEM]
        for names in (of_user, of_item):
            if names:
                own = names[0]
                for each in names[1:]:
                    own = graph.add("Add", [own, each], graph.shapes.get(own, ()))
                value = self._value(own)
                total = self._add("Add", [value, total]) if total else value
        for side, name in terms:
            if side == PAIR:
                total = self._add("Add", [name, total]) if total else name
        return total

    def _user(self, name: str) -> str:
        return self.users.setdefault(name, f"::user_{len(self.users)}")

    def _item(self, name: str) -> str:
        self._graph.width(name)
        return self.items.setdefault(name, f"::item_{len(self.items)}")

    def _matrix(self, name: str) -> np.ndarray | None:
        array = self._graph.array(name)
        return array if array is not None and array.ndim == 2 else None

    def _ints(self, *numbers: int) -> str:
        return self._put(np.array(numbers, np.int64))

    def _put(self, array: np.ndarray) -> str:
        name = f"::pair_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _add(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"::pair_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name
