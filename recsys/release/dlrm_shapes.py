"""What is recognised in an exported ranker: columns side by side, dot products of stacked vectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from recsys.release.dlrm_graph import PAIR, Graph


def columns(graph: Graph, name: str, weights: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """A tensor's parts side by side, each with its rows of the weights.

    Args:
        graph: The export.
        name: The tensor, [rows, width].
        weights: What it is multiplied with, [width, hidden].
    """
    node = graph.maker(name, "Concat")
    if node is None or graph.side(name) != PAIR or _axis(node) not in (1, -1):
        yield name, weights
        return
    at = 0
    for each in node.input:
        width = graph.width(each)
        yield from columns(graph, each, weights[at : at + width])
        at += width


def interactions(graph: Graph, name: str) -> tuple[list[str], np.ndarray] | None:
    """Vectors whose dot products with each other a tensor picks.

    Args:
        graph: The export.
        name: The tensor.

    Returns:
        The vectors, [rows, width] each, and which products: places in the flat square of them. None if the
        tensor is something else.
    """
    make = graph.maker
    picked = make(name, "Gather")
    flat = make(picked.input[0], "Reshape") if picked is not None else None
    square = make(flat.input[0], "MatMul") if flat is not None else None
    if picked is None or square is None:
        return None
    turned, stack = make(square.input[1], "Transpose"), make(square.input[0], "Concat")
    if turned is None or stack is None or turned.input[0] != square.input[0]:
        return None
    vectors = [found for each in stack.input if (found := make(each, "Unsqueeze")) is not None]
    places = graph.array(picked.input[1])
    if len(vectors) < len(stack.input) or places is None or (_axis(picked), _axis(stack)) != (1, 1):
        return None
    return [each.input[0] for each in vectors], places


def _axis(node: Any) -> int:
    return next((each.i for each in node.attribute if each.name == "axis"), 0)
