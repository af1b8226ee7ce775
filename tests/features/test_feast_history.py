from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import redis
from factories.feast_shop import DAY_S, START, write_shop
from factories.feast_shop import clicks as shop_clicks

from recsys.data.dataset import Dataset
from recsys.errors import BadUse
from recsys.features import feast_repo, feast_store
from recsys.features.behavior import top_category
from recsys.features.feast_history import historical
from recsys.local.valkey import ValkeyServer
from recsys.settings import Settings, ValkeySettings


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return write_shop(tmp_path / "shop")


@pytest.fixture
def settings(valkey: redis.Redis, valkey_server: ValkeyServer, tmp_path: Path) -> Iterator[Settings]:
    """An applied repository on an empty Valkey."""
    settings = Settings(home=tmp_path / "home", valkey=ValkeySettings(url=valkey_server.url, timeout_s=5))
    feast_repo.apply(settings)
    yield settings
    feast_store.forget_stores()


def test_historical_features_are_top_category_point_in_time(settings: Settings, dataset: Dataset) -> None:
    feast_repo.materialise(settings, dataset)
    clicks = shop_clicks(dataset).sample(frac=1.0, random_state=1)
    joined = historical(settings, clicks)
    expected = top_category(clicks["user_id"], clicks["timestamp"], clicks["category_l1"])
    np.testing.assert_array_equal(joined["top_category"], expected)
    np.testing.assert_array_equal(joined.index, clicks.index)
    assert (joined["category_l1"].to_numpy() == clicks["category_l1"].to_numpy()).all()
    assert joined["age"].notna().all()


def test_historical_features_do_not_see_the_future(
    settings: Settings, dataset: Dataset, tmp_path: Path
) -> None:
    feast_repo.materialise(settings, dataset)
    cut = START + DAY_S
    past = shop_clicks(dataset).query("timestamp < @cut")
    before = historical(settings, past)
    later = pd.DataFrame({"user_id": past["user_id"].unique(), "top_category": 99, "timestamp": cut})
    feast_repo.push_behavior(settings, later, to="offline")
    dearer = write_shop(tmp_path / "dearer", price=500.0)
    feast_repo.materialise(settings, dearer, days=[1, 2])

    pd.testing.assert_frame_equal(historical(settings, past), before)
    after = historical(settings, past.assign(timestamp=START + 30 * DAY_S))
    assert (after["price"] >= 500).all()


def test_rows_repeated_and_before_any_data_keep_their_place(settings: Settings, dataset: Dataset) -> None:
    feast_repo.materialise(settings, dataset)
    item = int(dataset.items["item_id"].iloc[3])
    entities = pd.DataFrame(
        {
            "user_id": [0, 0, 0, 424242],
            "item_id": [item, item, item, -1],
            "timestamp": [START + 10 * DAY_S, START - 1, START + 10 * DAY_S, START + 10 * DAY_S],
        }
    )
    joined = historical(settings, entities)
    assert joined["price"].isna().tolist() == [False, True, False, True]
    assert joined["gender"].tolist() == [0, -1, 0, -1]
    assert joined["top_category"].iloc[0] == joined["top_category"].iloc[2] != -1
    assert joined["top_category"].dtype == np.int64


def test_a_missing_column_is_named(settings: Settings) -> None:
    with pytest.raises(BadUse, match="no column item_id"):
        historical(settings, pd.DataFrame({"user_id": [1], "timestamp": [1]}))
