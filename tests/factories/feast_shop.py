"""A tiny shop for Feast: three days with many clicks of one user in the same second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from recsys.data.dataset import Dataset

START = 1_754_006_400
DAY_S = 24 * 3600
USERS, ITEMS, CATEGORIES = 12, 20, 4


def write_shop(path: Path, seed: int = 0, price: float = 10.0) -> Dataset:
    """Writes it; items cost `price` and more."""
    random = np.random.default_rng(seed)
    path.mkdir()
    item_id = np.arange(ITEMS) * 7 - 30
    items = pd.DataFrame(
        {
            "item_id": item_id,
            "price": np.float32(price) + np.arange(ITEMS, dtype="float32"),
            "category_l1": np.arange(ITEMS) % CATEGORIES,
            "category_l2": np.arange(ITEMS) % 9,
            "item_gender": np.arange(ITEMS) % 3,
        }
    )
    items.to_parquet(path / "items.parquet")
    text = {"item_id": item_id, "product_description": [f"item {key}" for key in item_id]}
    pd.DataFrame(text).to_parquet(path / "item_descriptions.parquet")
    users = {
        "user_id": np.arange(USERS) * 10**15,
        "age": 20 + np.arange(USERS),
        "gender": np.arange(USERS) % 2,
    }
    pd.DataFrame(users).to_parquet(path / "users.parquet")
    for day in range(3):
        rows = 60
        frame = {
            "user_id": random.choice(np.arange(USERS - 1) * 10**15, rows),
            "item_id": random.choice(item_id, rows),
            "timestamp": START + day * DAY_S + random.integers(0, DAY_S // 100, rows) * 100,
            "device_type": random.integers(0, 3, rows),
        }
        pd.DataFrame(frame).to_parquet(path / f"day_{day:02d}.parquet")
    return Dataset.open(path)


def clicks(dataset: Dataset) -> pd.DataFrame:
    """All interactions with their items' categories."""
    events = dataset.interactions(dataset.days)
    category = dataset.items.set_index("item_id")["category_l1"]
    return events.assign(category_l1=category.reindex(events["item_id"]).to_numpy())
