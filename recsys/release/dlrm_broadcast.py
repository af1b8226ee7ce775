"""The ranker rewritten so that what depends on the user alone is computed once a user, not once a candidate.

Two forms, of the same scores as the export:

* `schema.DLRM_BROADCAST_ONNX`, one file over users [B, 1] and candidates [B, K];
* `schema.DLRM_ITEMS_ONNX`, what depends on the item alone, and `schema.DLRM_PAIRS_ONNX`, the rest over that.
  An item's part is the same for all users: whoever keeps it need not compute it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from recsys import schema
from recsys.errors import RecsysError
from recsys.release.dlrm_graph import ITEM, PAIR, USER, Graph, UnknownGraph
from recsys.release.dlrm_rewrite import Pairs

FILES: Final = (schema.DLRM_BROADCAST_ONNX, schema.DLRM_ITEMS_ONNX, schema.DLRM_PAIRS_ONNX)
_TOLERANCE: Final = 1e-5
_CHECKED: Final = (3, 17)
"""Users and candidates of the comparison with the export."""
_CODES: Final = 4
"""Codes below this are in every table."""
_OPSET: Final = 17
_SCORE: Final = "score"
_PART: Final = "item_part"
_PARTS: Final = "item_parts"


def write_broadcast(release_dir: Path) -> bool:
    """Write the files beside a release's ranker.

    Args:
        release_dir: Folder with `schema.DLRM_ONNX`.

    Returns:
        Whether they were written: False for a ranker of another shape, which is then served as it is.

    Raises:
        RecsysError: What was written does not compute the same.
    """
    source = release_dir / schema.DLRM_ONNX
    for file in FILES:
        (release_dir / file).unlink(missing_ok=True)
    export = onnx.load(source)
    try:
        models = build(export)
    except UnknownGraph:
        return False
    for file, model in zip(FILES, models, strict=True):
        onnx.save(model, release_dir / file)
    worst = difference(source, release_dir)
    if not worst <= _TOLERANCE:
        for file in FILES:
            (release_dir / file).unlink()
        raise RecsysError(
            str(release_dir / FILES[0]), f"differs from the export by {worst:.2g}", "Report it: this is a bug"
        )
    return True


def build(export: Any) -> tuple[Any, Any, Any]:
    """The three models of `FILES`.

    Args:
        export: An `onnx.ModelProto` of [rows, 1] features and [rows, 64] embeddings.

    Raises:
        UnknownGraph: User and item meet in it in a way that is not known.
    """
    graph = Graph(export)
    pairs = Pairs(graph, _SCORE)
    users, items = graph.nodes_of(pairs.users), graph.nodes_of(pairs.items)
    width = sum(map(graph.width, pairs.items))
    of_user, of_item, of_pair = (
        [port for name, port in graph.inputs.items() if graph.sides[name] == side]
        for side in (USER, ITEM, PAIR)
    )
    of_pair = [_grouped(port) for port in of_pair]
    score = _port(_SCORE, "users", "candidates")
    items = [*items, helper.make_node("Concat", list(pairs.items), [_PART], axis=1)]
    meet, meet_constants = _meeting(graph, pairs)
    meet = [*users, *meet]
    meet_constants += graph.constants_of(users)
    parts = _port(_PARTS, "users", "candidates", width)
    flat, flat_constants = _flattened([port.name for port in of_item], width)
    renamed = [_renamed(node, {port.name: f"::{port.name}_rows" for port in of_item}) for node in items]
    item_constants = graph.constants_of(items)
    return (
        _model(
            [*flat[:-1], *renamed, flat[-1], *meet],
            [*of_user, *map(_grouped, of_item), *of_pair],
            score,
            [*meet_constants, *item_constants, *flat_constants],
        ),
        _model(items, of_item, _port(_PART, "rows", width), item_constants),
        _model(meet, [*of_user, *of_pair, parts], score, meet_constants),
    )


def _meeting(graph: Graph, pairs: Pairs) -> tuple[list[Any], list[Any]]:
    """Nodes and constants from the user's tensors and the items' parts [B, K, width] to the score [B, K]."""
    widths = [graph.width(name) for name in pairs.items]
    nodes = [
        *(helper.make_node("Identity", [name], [alias]) for name, alias in pairs.users.items()),
        helper.make_node("Split", [_PARTS, "::widths"], list(pairs.items.values()), axis=2),
        *pairs.nodes,
        helper.make_node("Squeeze", [pairs.score, "::last_axis"], [_SCORE]),
    ]
    return nodes, [*pairs.constants, _ints("::widths", *widths), _ints("::last_axis", 2)]


def _flattened(names: Sequence[str], width: int) -> tuple[list[Any], list[Any]]:
    """Nodes that make rows of [B, K, ...]; the last one makes [B, K, width] of the items' parts."""
    nodes, constants = [], [_ints("::part_width", width)]
    for name in names:
        columns = schema.EMBEDDING_DIM if name in schema.EMBEDDING_FEATURES else 1
        constants.append(_ints(f"::{name}_shape", -1, columns))
        nodes.append(helper.make_node("Reshape", [name, f"::{name}_shape"], [f"::{name}_rows"]))
    whole = next(name for name in names if name not in schema.EMBEDDING_FEATURES)
    nodes.append(helper.make_node("Shape", [whole], ["::users_candidates"]))
    nodes.append(
        helper.make_node("Concat", ["::users_candidates", "::part_width"], ["::parts_shape"], axis=0)
    )
    return [*nodes, helper.make_node("Reshape", [_PART, "::parts_shape"], [_PARTS])], constants


def _renamed(node: Any, names: dict[str, str]) -> Any:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for at, name in enumerate(copy.input):
        copy.input[at] = names.get(name, name)
    return copy


def _grouped(port: Any) -> Any:
    """An item's input over [B, K] instead of rows."""
    tail = [schema.EMBEDDING_DIM] if port.name in schema.EMBEDDING_FEATURES else []
    kind = port.type.tensor_type.elem_type
    return helper.make_tensor_value_info(port.name, kind, ["users", "candidates", *tail])


def _port(name: str, *shape: str | int) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def _ints(name: str, *values: int) -> Any:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def _model(nodes: Sequence[Any], inputs: Iterable[Any], output: Any, constants: Iterable[Any]) -> Any:
    distinct = {each.name: each for each in constants}
    read = {name for node in nodes for name in node.input}
    ports = [port for port in inputs if port.name in read]
    graph = helper.make_graph(nodes, "dlrm", ports, [output], list(distinct.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def difference(export: Path, release_dir: Path, seed: int = 0) -> float:
    """The greatest difference between an export's scores and those of `FILES`, for random users and items."""
    rng = np.random.default_rng(seed)
    users, candidates = _CHECKED
    session = onnxruntime.InferenceSession(str(export), providers=["CPUExecutionProvider"])
    grouped: dict[str, np.ndarray] = {}
    for port in session.get_inputs():
        of_item = port.name in (*schema.ITEM_FEATURES, *schema.EMBEDDING_FEATURES)
        of_item |= port.name == schema.ITEM_POPULARITY
        shape = (users, candidates if of_item else 1, port.shape[1])
        whole = port.type == "tensor(int64)"
        drawn = rng.integers(0, _CODES, shape) if whole else rng.normal(size=shape)
        grouped[port.name] = drawn.astype(np.int64 if whole else np.float32)
    tiled = {
        name: np.broadcast_to(array, (users, candidates, array.shape[2])).reshape(-1, array.shape[2])
        for name, array in grouped.items()
    }
    expected = session.run([_SCORE], tiled)[0].reshape(users, candidates)
    narrow = {
        name: array[:, :, 0] if array.shape[2] == 1 else array[:, 0] if array.shape[1] == 1 else array
        for name, array in grouped.items()
    }
    broadcast, items, pairs = (release_dir / file for file in FILES)
    parts = _run(items, _PART, tiled).reshape(users, candidates, -1)
    found = (_run(broadcast, _SCORE, narrow), _run(pairs, _SCORE, narrow | {_PARTS: parts}))
    return float(max(np.abs(each - expected).max() for each in found))


def _run(path: Path, output: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = {port.name for port in session.get_inputs()}
    values: np.ndarray = session.run([output], {name: inputs[name] for name in names})[0]
    return values
