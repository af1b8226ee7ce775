"""A release whose ranker knows something: it prefers items of the user's top category."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from factories.release import make_release
from onnx import TensorProto, helper, numpy_helper

from recsys import schema
from recsys.data.dataset import Dataset

_CODES = 12
_TABLE = "category_l1_table"


def make_matching_release(folder: Path, dataset: Dataset) -> Path:
    """A release of `factories.release` for the items of a `factories.shop`, with a ranker that helps.

    Args:
        folder: Made if absent.
        dataset: Gives the catalogue.
    """
    make_release(folder, items=len(dataset.items), item_ids=dataset.items["item_id"].tolist())
    items = {name: dataset.items[name].to_numpy() for name in schema.ITEM_RAW}
    np.savez(folder / schema.ITEM_FEATURES_FILE, **items)
    _ranker(np.eye(_CODES, dtype=np.float32), folder / schema.DLRM_ONNX)
    dataset.items.to_parquet(folder / schema.CATALOGUE_FILE)
    return folder


def shuffle_ranker(folder: Path) -> None:
    """Moves the rows of the ranker's item table, so that it prefers what the user does not like."""
    path = folder / schema.DLRM_ONNX
    model = onnx.load(path)
    (table,) = (one for one in model.graph.initializer if one.name == _TABLE)
    moved = np.roll(numpy_helper.to_array(table), 1, axis=0)
    table.CopyFrom(numpy_helper.from_array(moved, _TABLE))
    onnx.save(model, path)


def _ranker(table: np.ndarray, path: Path) -> None:
    """Score: sigmoid of the inner product of two rows, one by the user's top category, one by the item's."""
    names = ("top_category", "category_l1")
    tables = [numpy_helper.from_array(table * 3, f"{name}_table") for name in names]
    nodes = [
        node
        for name in names
        for node in (
            helper.make_node("Gather", [f"{name}_table", name], [f"{name}_rows"]),
            helper.make_node("Flatten", [f"{name}_rows"], [f"{name}_flat"], axis=1),
        )
    ]
    nodes += [
        helper.make_node("Mul", [f"{name}_flat" for name in names], ["product"]),
        helper.make_node("ReduceSum", ["product", "last"], ["logit"], keepdims=1),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
    ]
    read = (*names, "item_id")  # serving takes its shape from the last
    ports = [helper.make_tensor_value_info(name, TensorProto.INT64, [None, 1]) for name in read]
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])
    weights = [*tables, numpy_helper.from_array(np.array([1], np.int64), "last")]
    graph = helper.make_graph(nodes, "matching", ports, [score], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
