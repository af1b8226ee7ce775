"""A tiny but complete release: random models, index, tables and workflows under the real names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from recsys import schema
from recsys.features.arrays import FORMAT
from recsys.index import build

MEAN_AGE = 40.0
KNOWN_USERS = np.array([-7, 3, 10, 11, 2**40, 2**62], np.int64)
CATEGORIES = 5


def make_release(
    folder: Path, items: int = 120, seed: int = 0, item_ids: Sequence[int] | None = None
) -> Path:
    """Write a release folder without manifest.

    Args:
        folder: Made if absent.
        items: Size of the catalogue.
        seed: Of everything random in it.
        item_ids: The shop's ids; sparse, unordered, one negative when not given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    ids = np.array(item_ids) if item_ids is not None else rng.choice(10**12, items, replace=False) + 5
    ids = ids.astype(np.int64)
    _tables(folder, ids, rng)
    _workflows(folder, ids)
    _models(folder, rng, items)
    (folder / schema.DEFAULTS_FILE).write_text(json.dumps({"mean_age": MEAN_AGE}))
    return folder


def make_degenerate_model(path: Path, inputs: dict[str, tuple[np.dtype, int]], output: str) -> None:
    """Write an ONNX model that loads and fails whenever it runs: it looks up row 10^9 of a table of one."""
    far = numpy_helper.from_array(np.array([10**9], np.int64), "far")
    table = numpy_helper.from_array(np.zeros((1, 1), np.float32), "table")
    node = helper.make_node("Gather", ["table", "far"], [output])
    _save(path, [node], inputs, output, [far, table])


def _tables(folder: Path, ids: np.ndarray, rng: np.random.Generator) -> None:
    n = len(ids)
    np.save(folder / schema.ITEM_IDS_FILE, ids)
    np.savez(
        folder / schema.ITEM_FEATURES_FILE,
        item_id=ids,
        price=rng.uniform(1, 500, n).astype(np.float32),
        category_l1=rng.integers(0, CATEGORIES, n),
        category_l2=rng.integers(0, 20, n),
        item_gender=rng.integers(0, 3, n),
    )
    for file in (schema.IMAGE_EMBEDDINGS_FILE, schema.TEXT_EMBEDDINGS_FILE):
        np.save(folder / file, rng.normal(size=(n, schema.EMBEDDING_DIM)).astype(np.float32))
    np.save(folder / schema.POPULARITY_FILE, rng.integers(0, 1000, n).astype(np.float32))
    build(rng.normal(size=(n, schema.EMBEDDING_DIM)).astype(np.float32)).save(folder)


def _workflows(folder: Path, ids: np.ndarray) -> None:
    normal = {"op": "normalize", "mean": MEAN_AGE, "scale": 12.0}
    buckets = {"op": "bucketize", "boundaries": list(schema.AGE_BOUNDARIES)}
    _workflow(
        folder,
        schema.USER_WORKFLOW,
        {name: ("float32" if name == "age" else "int64") for name in schema.USER_RAW},
        {
            "user_id": KNOWN_USERS,
            "gender": np.arange(3),
            "top_category": np.arange(CATEGORIES),
        },
        {"age_bucket": ("age", "int64", [buckets]), "age": ("age", "float32", [normal])},
    )
    _workflow(
        folder,
        schema.ITEM_WORKFLOW,
        {name: ("float32" if name == "price" else "int64") for name in schema.ITEM_RAW},
        {
            "item_id": np.sort(ids),
            "category_l1": np.arange(CATEGORIES),
            "category_l2": np.arange(20),
            "item_gender": np.arange(3),
        },
        {"price": ("price", "float32", [{"op": "log"}, normal | {"mean": 4.0, "scale": 1.0}])},
    )
    clocks = ("hour_sin", "hour_cos", "weekday_sin", "weekday_cos")
    _workflow(
        folder,
        schema.CONTEXT_WORKFLOW,
        {"device_type": "int64", "timestamp": "int64"},
        {"device_type": np.arange(3)},
        {name: ("timestamp", "float32", [{"op": "clock", "function": name}]) for name in clocks},
    )


def _workflow(
    folder: Path,
    name: str,
    inputs: dict[str, str],
    vocabularies: dict[str, np.ndarray],
    others: dict[str, tuple[str, str, list[dict]]],
) -> None:
    outputs = {
        column: {"input": column, "dtype": "int64", "steps": [{"op": "categorify", "vocabulary": column}]}
        for column in vocabularies
    }
    outputs |= {
        column: {"input": source, "dtype": dtype, "steps": steps}
        for column, (source, dtype, steps) in others.items()
    }
    arrays = {}
    for column, values in vocabularies.items():
        arrays[f"{column}.values"] = values.astype(np.int64)
        arrays[f"{column}.codes"] = np.arange(3, 3 + len(values), dtype=np.int64)
    spec = {"format": FORMAT, "inputs": inputs, "outputs": outputs}
    (folder / f"{name}.json").write_text(json.dumps(spec))
    np.savez(folder / f"{name}.npz", **arrays)


def _models(folder: Path, rng: np.random.Generator, items: int) -> None:
    width = schema.EMBEDDING_DIM
    user = {name: (dtype, 1) for name, dtype in schema.USER_FEATURES.items()}
    context = {name: (dtype, 1) for name, dtype in schema.CONTEXT_FEATURES.items()}
    item = {name: (dtype, 1) for name, dtype in schema.ITEM_FEATURES.items()}
    embeddings = {name: (np.dtype("float32"), width) for name in schema.EMBEDDING_FEATURES}
    rows = max(items, 20) + 10  # codes of items, and of the up to 20 categories
    _mlp(folder / schema.QUERY_TOWER_ONNX, user | context, "user_embedding", width=width, rng=rng, rows=rows)
    _mlp(
        folder / schema.CANDIDATE_TOWER_ONNX,
        item | embeddings,
        "item_embedding",
        width=width,
        rng=rng,
        rows=rows,
    )
    _mlp(
        folder / schema.DLRM_ONNX,
        user | context | item | embeddings | {"user_embedding": (np.dtype("float32"), width)},
        "score",
        width=1,
        rng=rng,
        rows=rows,
        sigmoid=True,
    )


def _mlp(
    path: Path,
    inputs: dict[str, tuple[np.dtype, int]],
    output: str,
    *,
    width: int,
    rng: np.random.Generator,
    rows: int,
    sigmoid: bool = False,
) -> None:
    """Embed the codes in eight dimensions, join all columns, two layers."""
    nodes, weights, columns, total = [], [], [], 0
    for name, (dtype, size) in inputs.items():
        if dtype.kind == "i":
            weights.append(_weight(f"{name}_table", (rows, 8), rng, scale=1.0))
            nodes.append(helper.make_node("Gather", [f"{name}_table", name], [f"{name}_rows"]))
            nodes.append(helper.make_node("Flatten", [f"{name}_rows"], [f"{name}_flat"], axis=1))
            columns.append(f"{name}_flat")
            total += 8
        else:
            columns.append(name)
            total += size
    weights += [_weight("w1", (total, 16), rng), _weight("w2", (16, width), rng)]
    nodes += [
        helper.make_node("Concat", columns, ["joined"], axis=1),
        helper.make_node("MatMul", ["joined", "w1"], ["hidden"]),
        helper.make_node("Tanh", ["hidden"], ["active"]),
        helper.make_node("MatMul", ["active", "w2"], ["raw"]),
        helper.make_node("Sigmoid" if sigmoid else "Identity", ["raw"], [output]),
    ]
    _save(path, nodes, inputs, output, weights)


def _weight(
    name: str, shape: tuple[int, int], rng: np.random.Generator, scale: float | None = None
) -> TensorProto:
    scale = scale or shape[0] ** -0.5
    return numpy_helper.from_array((rng.normal(size=shape) * scale).astype(np.float32), name)


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[np.dtype, int]],
    output: str,
    weights: list[TensorProto],
) -> None:
    types = {"i": TensorProto.INT64, "f": TensorProto.FLOAT}
    ports = [
        helper.make_tensor_value_info(name, types[dtype.kind], [None, size])
        for name, (dtype, size) in inputs.items()
    ]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, None])
    graph = helper.make_graph(nodes, "tiny", ports, [result], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
