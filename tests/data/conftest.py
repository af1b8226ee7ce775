"""A tiny good data set, and a way to spoil one of its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

DAY_S = 24 * 3600
FIRST = 1754006400
ITEMS = np.array([7, 2**62, 40, 5, 1000, 12], dtype=np.int64)  # sparse and unordered
USERS = np.array([900, 3, 2**53 + 1, 17, 4], dtype=np.int64)

Spoil = Callable[[str, Callable[[pd.DataFrame], pd.DataFrame]], Path]


def day_frame(day: int, rows: int = 200) -> pd.DataFrame:
    """Interactions of one day, in the order of time; no two are equal."""
    draw = np.random.default_rng(day)
    return pd.DataFrame(
        {
            "user_id": draw.choice(USERS, rows),
            "item_id": draw.choice(ITEMS, rows),
            "timestamp": FIRST + day * DAY_S + np.arange(rows, dtype=np.int64) * 400,
            "device_type": draw.integers(-1, 3, rows),
            "event_type": "view",
        }
    )


def write_shop(folder: Path, days: range = range(12)) -> Path:
    """Writes a good data set; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    n = len(ITEMS)
    pd.DataFrame(
        {
            "item_id": ITEMS,
            "price": np.linspace(1, 60, n),
            "category_l1": np.arange(n) % 2,
            "category_l2": np.arange(n) % 4,
            "item_gender": 2,
            "title": [f"Thing {i}" for i in range(n)],
        }
    ).to_parquet(folder / "items.parquet")
    pd.DataFrame({"item_id": ITEMS, "product_description": "Good. Very good."}).to_parquet(
        folder / "item_descriptions.parquet"
    )
    pd.DataFrame({"user_id": USERS, "age": 30, "gender": 1}).to_parquet(folder / "users.parquet")
    for day in days:
        day_frame(day).to_parquet(folder / f"day_{day:02d}.parquet")
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "shop")


@pytest.fixture
def spoil(shop: Path) -> Spoil:
    """`spoil(file, change)` rewrites a file of the shop with `change(frame)` and returns the shop."""

    def apply(file: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
        change(pd.read_parquet(shop / file)).to_parquet(shop / file)
        return shop

    return apply
