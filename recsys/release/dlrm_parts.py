"""Takes an exported DLRM apart, by the shape of its graph and not by its names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import numpy_helper


class UnknownGraph(Exception):
    """The export is not the DLRM that this module knows."""


@dataclass(frozen=True)
class Dense:
    """A fully connected layer: weights [inputs, outputs] and bias [outputs], float32."""

    weights: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class DlrmParts:
    """What the exported graph is made of.

    Attributes:
        tables: Categorical feature -> embedding table [codes, width].
        numbers: The numeric features in the order of the bottom network's rows.
        stacked: The interacting vectors in the order of their pairs: categorical features, and "" for the
            bottom network's output.
        bottom: Its layers.
        top: The layers over the bottom's output and the pairs; the last makes the logit.
    """

    tables: dict[str, np.ndarray]
    numbers: list[str]
    stacked: list[str]
    bottom: list[Dense]
    top: list[Dense]


def read_parts(model: Any) -> DlrmParts:
    """Take an exported DLRM apart.

    Args:
        model: An `onnx.ModelProto`.

    Raises:
        UnknownGraph: It is another graph.
    """
    return _Reader(model.graph).read()


class _Reader:
    """Walks along a graph from the inputs to the score."""

    def __init__(self, graph: Any) -> None:
        self._arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self._inputs = {each.name for each in graph.input}
        self._maker = {name: node for node in graph.node for name in node.output}
        self._nodes = list(graph.node)

    def read(self) -> DlrmParts:
        tables = {name: table for name, table in map(self._table, self._of("Gather")) if name}
        joined = self._one(node for node in self._of("Concat") if set(node.input) <= self._inputs)
        bottom, bottom_out = self._dense_from(joined.output[0])
        stack = self._one(
            node
            for node in self._of("Concat")
            if all(self._made_by(name) == "Unsqueeze" for name in node.input)
        )
        stacked = [self._vector(name, bottom_out) for name in stack.input]
        top_in = self._one(
            node for node in self._of("Concat") if node.input[0] == bottom_out and len(node.input) == 2
        )
        top, logit = self._dense_from(top_in.output[0])
        self._require([node.op_type for node in self._readers(logit)] == ["Sigmoid"])
        width, vectors = bottom[-1].weights.shape[1], len(stacked)
        pairs = vectors * (vectors - 1) // 2
        self._require(top[0].weights.shape[0] == width + pairs)
        self._require(top[-1].weights.shape[1] == 1)
        self._require(sorted(stacked) == sorted(["", *tables]))
        self._require(all(table.shape[1] == width for table in tables.values()))
        return DlrmParts(tables, list(joined.input), stacked, bottom, top)

    def _table(self, node: Any) -> tuple[str, np.ndarray]:
        """The feature whose codes a Gather looks up, and the table; no name where it is no such look-up."""
        table = self._arrays.get(node.input[0])
        source = self._maker.get(node.input[1])
        if table is None or table.ndim != 2 or source is None or source.op_type != "Squeeze":
            return "", np.empty(0)
        name = source.input[0]
        return (name, table) if name in self._inputs else ("", table)

    def _vector(self, unsqueezed: str, bottom_out: str) -> str:
        name = self._maker[unsqueezed].input[0]
        if name == bottom_out:
            return ""
        feature, _ = self._table(self._maker[name])
        self._require(bool(feature))
        return feature

    def _dense_from(self, name: str) -> tuple[list[Dense], str]:
        """Layers MatMul, Add, with a Relu between two, from a tensor on; and the last one's output."""
        layers: list[Dense] = []
        while True:
            product = [node for node in self._readers(name) if node.op_type == "MatMul"]
            weights = self._arrays.get(product[0].input[1]) if len(product) == 1 else None
            if weights is None:
                self._require(bool(layers))
                return layers, name
            added = self._one(self._readers(product[0].output[0]))
            bias = next((self._arrays[each] for each in added.input if each in self._arrays), None)
            self._require(added.op_type == "Add" and bias is not None)
            layers.append(Dense(weights, np.asarray(bias)))
            name = added.output[0]
            after = self._readers(name)
            if [node.op_type for node in after] != ["Relu"]:
                return layers, name
            name = after[0].output[0]

    def _of(self, kind: str) -> list[Any]:
        return [node for node in self._nodes if node.op_type == kind]

    def _readers(self, name: str) -> list[Any]:
        return [node for node in self._nodes if name in node.input]

    def _made_by(self, name: str) -> str:
        return self._maker[name].op_type if name in self._maker else ""

    def _one(self, nodes: Iterable[Any]) -> Any:
        found = list(nodes)
        self._require(len(found) == 1)
        return found[0]

    @staticmethod
    def _require(condition: bool) -> None:
        if not condition:
            raise UnknownGraph
