"""A shop of sixty items whose days can be evaluated, and the settings that fit it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.settings import EvaluationSettings, ServingSettings, Settings

ITEM_IDS = [int(i) for i in 500 + 7 * np.arange(60)]
SETTINGS = Settings(
    serving=ServingSettings(retrieved=50, ranked=40, returned=10),
    evaluation=EvaluationSettings(rows=120, anonymous_rows=30, auc_rows=100),
)


def write_shop(folder, *, exposures: bool) -> Dataset:
    rng = np.random.default_rng(3)
    n = len(ITEM_IDS)
    pd.DataFrame(
        {
            "item_id": ITEM_IDS,
            "price": rng.uniform(1, 9, n).astype(np.float32),
            "category_l1": rng.integers(0, 5, n),
            "category_l2": rng.integers(0, 20, n),
            "item_gender": rng.integers(0, 3, n),
        }
    ).to_parquet(folder / schema.ITEMS_FILE)
    words = {"item_id": ITEM_IDS, "product_description": ["a thing"] * n}
    pd.DataFrame(words).to_parquet(folder / schema.DESCRIPTIONS_FILE)
    users = {"user_id": [3, 10, 11], "age": [20, 30, 40], "gender": [0, 1, 0]}
    pd.DataFrame(users).to_parquet(folder / schema.USERS_FILE)
    for day in (0, 1, 9):
        columns = {
            "user_id": rng.choice([3, 10, 11], 150),
            "item_id": rng.choice(ITEM_IDS, 150),
            "timestamp": 1_754_006_400 + day * 86_400 + np.arange(150),
            "device_type": rng.integers(0, 3, 150),
        }
        if exposures:
            columns["click"] = np.arange(150) % 2
        pd.DataFrame(columns).to_parquet(folder / schema.DAY_FILE.format(day=day))
    return Dataset.open(folder)
