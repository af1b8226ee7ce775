"""A tiny data set whose users prefer categories, so that models have something to learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from recsys import schema

FIRST_SECOND = 1754006400
"""2025-08-01 00:00 UTC."""

_DAY_S = 24 * 3600
_CATEGORIES = 6
_WORDS = ("red", "blue", "wool", "linen", "warm", "light", "slim", "wide", "shirt", "shoe", "coat", "hat")


def make_shop(
    folder: Path, *, users: int = 60, items: int = 40, rows: int = 400, days: range = range(12), seed: int = 0
) -> Path:
    """Write a data set without images and without a click column.

    Args:
        folder: Made if absent.
        users: How many.
        items: How many; ids are sparse, in no order, two of them unclicked.
        rows: Interactions a day.
        days: Which days to write.
        seed: Of everything random in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    item_ids = rng.choice(10**9, items, replace=False).astype(np.int64)
    user_ids = rng.choice(10**9, users, replace=False).astype(np.int64)
    category = np.arange(items) % _CATEGORIES
    _catalogue(folder, item_ids, category, rng)
    ages = rng.integers(16, 80, users)
    pd.DataFrame({"user_id": user_ids, "age": ages, "gender": rng.integers(0, 2, users)}).to_parquet(
        folder / schema.USERS_FILE
    )
    favourite = rng.integers(0, _CATEGORIES, users)
    for day in days:
        who = rng.integers(0, users, rows)
        wanted = np.where(rng.random(rows) < 0.8, favourite[who], rng.integers(0, _CATEGORIES, rows))
        rank = np.minimum(rng.geometric(0.4, rows) - 1, (items - 2) // _CATEGORIES - 1)
        pd.DataFrame(
            {
                "user_id": user_ids[who],
                "item_id": item_ids[wanted + rank * _CATEGORIES],
                "timestamp": FIRST_SECOND + day * _DAY_S + np.sort(rng.integers(0, _DAY_S, rows)),
                "device_type": rng.integers(0, 3, rows),
            }
        ).to_parquet(folder / schema.DAY_FILE.format(day=day))
    return folder


def _catalogue(folder: Path, item_ids: np.ndarray, category: np.ndarray, rng: np.random.Generator) -> None:
    titles = [" ".join(rng.choice(_WORDS, 3, replace=False)) for _ in item_ids]
    pd.DataFrame(
        {
            "item_id": item_ids,
            "price": rng.uniform(5, 200, len(item_ids)),
            "category_l1": category,
            "category_l2": category * 10 + rng.integers(0, 2, len(item_ids)),
            "item_gender": rng.integers(0, 3, len(item_ids)),
            "title": titles,
            "category_l1_name": [f"Department {c}" for c in category],
        }
    ).to_parquet(folder / schema.ITEMS_FILE)
    words = [f"A {title}, category {c}." for title, c in zip(titles, category, strict=True)]
    pd.DataFrame({"item_id": item_ids, "product_description": words}).to_parquet(
        folder / schema.DESCRIPTIONS_FILE
    )
