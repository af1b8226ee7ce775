"""An exported model as a graph of tensors, each of which depends on the user, on the item, or on both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from recsys import schema

USER: Final = "user"
ITEM: Final = "item"
PAIR: Final = "pair"
CONSTANT: Final = ""

_ITEM_INPUTS: Final = (*schema.ITEM_FEATURES, *schema.EMBEDDING_FEATURES)
# Changes from minute to minute: not a part of an item that one may keep.
_PAIR_INPUTS: Final = (schema.ITEM_POPULARITY,)


class UnknownGraph(Exception):
    """The export holds something that the rewriting does not know."""


class Graph:
    """The nodes of a model that computes one row at a time.

    Args:
        model: An `onnx.ModelProto` whose inputs are [rows, ...].

    Attributes:
        inputs: Its inputs by name.
        sides: What each tensor depends on.
        shapes: The shape of each tensor after the rows.

    Raises:
        UnknownGraph: What should not depend on the inputs does.
    """

    def __init__(self, model: Any) -> None:
        self.inputs = {port.name: port for port in model.graph.input}
        self._arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        self._made: dict[str, Any] = {name: node for node in model.graph.node for name in node.output}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._fold(model)
        self.sides = {name: _side_of_input(name) for name in self.inputs}
        for name, node in self._made.items():
            self.sides[name] = self._side(node.input)

    def side(self, name: str) -> str:
        """What a tensor depends on."""
        return self.sides.get(name, CONSTANT)

    def array(self, name: str) -> np.ndarray | None:
        """A constant's value; None for any other tensor."""
        return self._arrays.get(name)

    def maker(self, name: str, *kinds: str) -> Any | None:
        """The node that makes a tensor, if it is of one of the kinds; any when none is given."""
        node = self._made.get(name)
        return node if node is not None and (not kinds or node.op_type in kinds) else None

    def width(self, name: str) -> int:
        """Columns of a tensor [rows, columns].

        Raises:
            UnknownGraph: It has another number of dimensions.
        """
        shape = self.shapes[name]
        if len(shape) != 1:
            raise UnknownGraph(f"{name} has {len(shape) + 1} dimensions")
        return shape[0]

    def put(self, array: np.ndarray) -> str:
        """A new constant."""
        name = f"::constant_{len(self._arrays)}"
        self._arrays[name] = np.ascontiguousarray(array)
        return name

    def add(self, kind: str, inputs: Sequence[str], shape: tuple[int, ...], **attributes: Any) -> str:
        """A new node.

        Args:
            kind: ONNX operator.
            inputs: Its inputs.
            shape: Of its output, after the rows.
            **attributes: Of the node.

        Returns:
            The name of its output.
        """
        name = f"::{kind}_{len(self._made)}"
        self._made[name] = helper.make_node(kind, list(inputs), [name], **attributes)
        self.sides[name] = self._side(inputs)
        self.shapes[name] = shape
        return name

    def nodes_of(self, outputs: Iterable[str]) -> list[Any]:
        """The nodes that are needed for some tensors, in an order in which they can run."""
        found: dict[str, Any] = {}

        def visit(name: str) -> None:
            node = self._made.get(name)
            if node is not None and name not in found:
                for each in node.input:
                    visit(each)
                found[name] = node

        for name in outputs:
            visit(name)
        return list(found.values())

    def constants_of(self, nodes: Iterable[Any]) -> list[Any]:
        """The constants that nodes read, as initialisers."""
        names = dict.fromkeys(name for node in nodes for name in node.input if name in self._arrays)
        return [numpy_helper.from_array(self._arrays[name], name) for name in names]

    def _side(self, inputs: Iterable[str]) -> str:
        found = {self.side(name) for name in inputs} - {CONSTANT}
        return PAIR if len(found) > 1 else next(iter(found), CONSTANT)

    def _fold(self, model: Any) -> None:
        """Turn into constants what does not depend on the inputs' values, such as the mask of pairs."""
        depends = set(self.inputs)
        for node in model.graph.node:
            if node.op_type != "Shape" and depends & set(node.input):
                depends |= set(node.output)
        kept = [node for node in model.graph.node if depends & set(node.output) and node.op_type != "Shape"]
        wanted = {name for node in kept for name in node.input if name and name not in depends}
        two, three = (_evaluate(model, rows) for rows in (2, 3))
        for name in sorted(wanted - self._arrays.keys()):
            if not np.array_equal(two[name], three[name]):
                raise UnknownGraph(f"{name} depends on the number of rows")
            self._arrays[name] = two[name]
        self._made = {name: node for name, node in self._made.items() if name in depends}
        self.shapes = {name: array.shape[1:] for name, array in two.items()}


def _side_of_input(name: str) -> str:
    if name in _PAIR_INPUTS:
        return PAIR
    return ITEM if name in _ITEM_INPUTS else USER


def _evaluate(model: Any, rows: int) -> dict[str, np.ndarray]:
    """Every tensor of a model for rows of zeros, its inputs among them."""
    feed = {}
    for port in model.graph.input:
        kind = port.type.tensor_type
        dims = [dim.dim_value for dim in kind.shape.dim[1:]]
        feed[port.name] = np.zeros((rows, *dims), helper.tensor_dtype_to_np_dtype(kind.elem_type))
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output]
    del whole.graph.output[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    return feed | dict(zip(names, session.run(names, feed), strict=True))
