"""A release that has learned one thing: users like items of their top category."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import redis
from factories.feast_values import put_item, put_user
from factories.release import CATEGORIES, make_release
from onnx import TensorProto, helper, numpy_helper

from recsys import schema
from recsys.index import build

ITEMS = 500
USERS = range(1_000, 1_040)
_CODES = CATEGORIES + 3  # Categorify's pad, null and out of vocabulary come first


def make_shop(home: Path) -> None:
    """Write the release and make it the current one."""
    folder = make_release(home / "releases" / "1", items=ITEMS, item_ids=range(5_000, 5_000 + ITEMS))
    rng = np.random.default_rng(0)
    raw = dict(np.load(folder / schema.ITEM_FEATURES_FILE))
    category = raw["category_l1"]
    vectors = _taste(category + 3) + rng.normal(scale=0.05, size=(ITEMS, schema.EMBEDDING_DIM))
    build(vectors.astype(np.float32)).save(folder)
    _query_tower(folder)
    _ranker(folder, rng)
    shown = {name: raw[name] for name in schema.ITEM_COLUMNS}
    frame = pd.DataFrame({**shown, "title": [f"Item {number}" for number in range(ITEMS)]})
    frame.to_parquet(folder / schema.CATALOGUE_FILE, index=False)
    (folder / schema.MANIFEST_FILE).write_text("{}")
    (home / "releases" / "current").write_text("1\n")


def fill(home: Path, client: redis.Redis) -> None:
    """Give items and users features as Feast does; user u's top category is u % CATEGORIES."""
    raw = np.load(home / "releases" / "1" / schema.ITEM_FEATURES_FILE)
    columns = {name: raw[name] for name in schema.ITEM_RAW}
    for row in range(ITEMS):
        values = {name: columns[name][row].item() for name in schema.ITEM_RAW if name != "item_id"}
        put_item(client, int(columns["item_id"][row]), **values)
    for user in USERS:
        put_user(client, user, age=30.0, gender=user % 2, top_category=user % CATEGORIES)


def categories(home: Path) -> dict[int, int]:
    """Top-level category of each item."""
    raw = np.load(home / "releases" / "1" / schema.ITEM_FEATURES_FILE)
    return dict(zip(raw["item_id"].tolist(), raw["category_l1"].tolist(), strict=True))


def _taste(codes: np.ndarray) -> np.ndarray:
    """One direction a category."""
    return np.eye(schema.EMBEDDING_DIM)[codes]


def _query_tower(folder: Path) -> None:
    table = numpy_helper.from_array(_taste(np.arange(_CODES)).astype(np.float32), "table")
    nodes = [
        helper.make_node("Gather", ["table", "top_category"], ["rows"]),
        helper.make_node("Flatten", ["rows"], ["user_embedding"], axis=1),
    ]
    _save(folder / schema.QUERY_TOWER_ONNX, nodes, ["top_category"], "user_embedding", [table])


def _ranker(folder: Path, rng: np.random.Generator) -> None:
    noise = rng.uniform(0, 0.2, (ITEMS + 10, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Equal", ["top_category", "category_l1"], ["same"]),
        helper.make_node("Cast", ["same"], ["liked"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["noise", "item_id"], ["rows"]),
        helper.make_node("Flatten", ["rows"], ["own"], axis=1),
        helper.make_node("Add", ["liked", "own"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["score"]),
    ]
    weights = [numpy_helper.from_array(noise, "noise")]
    _save(folder / schema.DLRM_ONNX, nodes, ["top_category", "category_l1", "item_id"], "score", weights)


def _save(path: Path, nodes: list, names: list[str], output: str, weights: list) -> None:
    ports = [helper.make_tensor_value_info(name, TensorProto.INT64, [None, 1]) for name in names]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, None])
    graph = helper.make_graph(nodes, "taste", ports, [result], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
