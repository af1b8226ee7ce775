"""A release that has learned one thing: users like items of their top category and of their last clicks."""

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
_NEWEST = 3
"""Clicks that the tower reads."""
_CODES = CATEGORIES + 3  # Categorify's pad, null and out of vocabulary come first


def make_shop(home: Path) -> None:
    """Write the release and make it the current one."""
    folder = make_release(home / "releases" / "1", items=ITEMS, item_ids=range(5_000, 5_000 + ITEMS))
    rng = np.random.default_rng(0)
    raw = dict(np.load(folder / schema.ITEM_FEATURES_FILE))
    category = raw["category_l1"]
    vectors = _taste(category + 3) + rng.normal(scale=0.05, size=(ITEMS, schema.EMBEDDING_DIM))
    build(vectors.astype(np.float32)).save(folder)
    _query_tower(folder, category)
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


def _query_tower(folder: Path, category: np.ndarray) -> None:
    """The top category's direction, and half of that of each of the newest clicks."""
    last = np.zeros((1, schema.EMBEDDING_DIM))  # where index -1, no click, is looked up
    weights = [
        numpy_helper.from_array(_taste(np.arange(_CODES)).astype(np.float32), "table"),
        numpy_helper.from_array(np.concatenate([_taste(category + 3) / 2, last]).astype(np.float32), "items"),
        numpy_helper.from_array(np.arange(_NEWEST), "newest"),
        numpy_helper.from_array(np.array([1]), "clicks"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "top_category"], ["rows"]),
        helper.make_node("Flatten", ["rows"], ["usual"], axis=1),
        helper.make_node("Gather", ["recent_items", "newest"], ["few"], axis=1),
        helper.make_node("Gather", ["items", "few"], ["vectors"]),
        helper.make_node("ReduceSum", ["vectors", "clicks"], ["now"], keepdims=0),
        helper.make_node("Add", ["usual", "now"], ["user_embedding"]),
    ]
    ports = {"top_category": 1, "recent_items": schema.RECENT_CLICKS}
    _save(folder / schema.QUERY_TOWER_ONNX, nodes, ports, "user_embedding", weights)


def _ranker(folder: Path, rng: np.random.Generator) -> None:
    """What the user embedding says of the item's category, and a little of each item's own."""
    noise = rng.uniform(0, 0.2, (ITEMS + 10, 1)).astype(np.float32)
    weights = [
        numpy_helper.from_array(_taste(np.arange(_CODES)).astype(np.float32), "table"),
        numpy_helper.from_array(noise, "noise"),
        numpy_helper.from_array(np.array([1]), "width"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "category_l1"], ["category_rows"]),
        helper.make_node("Flatten", ["category_rows"], ["category"], axis=1),
        helper.make_node("Mul", ["category", "user_embedding"], ["product"]),
        helper.make_node("ReduceSum", ["product", "width"], ["liked"]),
        helper.make_node("Gather", ["noise", "item_id"], ["rows"]),
        helper.make_node("Flatten", ["rows"], ["own"], axis=1),
        helper.make_node("Add", ["liked", "own"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["score"]),
    ]
    ports = {"user_embedding": schema.EMBEDDING_DIM, "category_l1": 1, "item_id": 1}
    _save(folder / schema.DLRM_ONNX, nodes, ports, "score", weights)


def _save(path: Path, nodes: list, inputs: dict[str, int], output: str, weights: list) -> None:
    """Write a model of inputs [rows, width]; the user embedding is the only one that is no number or code."""
    ports = [
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT if name == "user_embedding" else TensorProto.INT64, [None, width]
        )
        for name, width in inputs.items()
    ]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, None])
    graph = helper.make_graph(nodes, "taste", ports, [result], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
