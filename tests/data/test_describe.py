from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from recsys.data.dataset import Dataset
from recsys.data.describe import describe


def test_counts(shop, spoil):
    for day in range(12):
        spoil(
            f"day_{day:02d}.parquet",
            lambda f: f.assign(click=np.arange(len(f)) % 4 == 0).astype({"click": int}),
        )
    spoil("users.parquet", lambda f: pd.concat([f, f.iloc[:1].assign(user_id=77)]))
    found = describe(Dataset.open(shop))
    raw = pd.concat([pd.read_parquet(shop / f"day_{d:02d}.parquet") for d in range(12)])
    clicked = raw[raw.click == 1]
    assert found["interactions"]["rows"] == len(raw) == 2400
    assert found["interactions"]["clicks"] == len(clicked)
    assert found["interactions"]["click_rate"] == 0.25
    assert found["interactions"]["first"] == "2025-08-01T00:00:00Z"
    assert found["interactions"]["devices"]["unknown"] == (raw.device_type == -1).sum()
    assert found["interactions"]["event_types"] == {"view": 2400}
    assert found["items"]["count"] == 6
    assert found["users"]["count"] == 6
    assert found["users"]["active"] == 5
    assert found["days"][3]["users"] == pd.read_parquet(shop / "day_03.parquet").user_id.nunique()
    shares = clicked.merge(pd.read_parquet(shop / "items.parquet")).category_l1.value_counts(normalize=True)
    top = found["top_categories"][0]
    assert top["category_l1"] == shares.index[0]
    assert top["share"] == pytest.approx(shares.iloc[0], abs=1e-4)
    json.dumps(found)


def test_rows_of_nobody_and_nothing_are_counted(spoil):
    shop = spoil(
        "day_00.parquet", lambda f: f.assign(user_id=[55, *f.user_id[1:]], item_id=[66, *f.item_id[1:]])
    )
    found = describe(Dataset.open(shop))["interactions"]
    assert (found["unknown_users"], found["unknown_items"]) == (1, 1)


@pytest.mark.parametrize(
    ("item_ids", "gini", "top"), [([7], 5 / 6, 1.0), ([7, 2**62, 40, 5, 1000, 12], 0, 1 / 6)]
)
def test_concentration(shop, item_ids, gini, top):
    for day in range(12):
        frame = pd.read_parquet(shop / f"day_{day:02d}.parquet").iloc[:120]
        frame.assign(item_id=np.resize(item_ids, 120)).to_parquet(shop / f"day_{day:02d}.parquet")
    found = describe(Dataset.open(shop))["popularity"]
    assert found["gini"] == pytest.approx(gini, abs=1e-4)
    assert found["top_1_percent"] == pytest.approx(top, abs=1e-4)
