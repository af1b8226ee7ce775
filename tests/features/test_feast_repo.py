from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import redis
from factories.feast_shop import DAY_S, ITEMS, START, USERS, write_shop
from factories.feast_shop import clicks as shop_clicks

from recsys.data.dataset import Dataset
from recsys.errors import BadUse, RecsysError, Unavailable
from recsys.features import feast_repo, feast_store
from recsys.features.behavior import top_category
from recsys.features.feast_history import historical
from recsys.features.feast_layout import BEHAVIOR_VIEW, ITEM_VIEW, USER_VIEW
from recsys.features.online_store import ItemFeatureReader, UserFeatureReader
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


def test_online_values_are_the_data_sets(settings: Settings, dataset: Dataset, valkey: redis.Redis) -> None:
    written = feast_repo.materialise(settings, dataset)

    items = ItemFeatureReader(valkey).read(dataset.items["item_id"])
    users = UserFeatureReader(valkey).read(dataset.users["user_id"])
    clicks = shop_clicks(dataset)
    active = clicks["user_id"].nunique()

    assert written == {USER_VIEW: USERS, ITEM_VIEW: ITEMS, BEHAVIOR_VIEW: active}
    np.testing.assert_array_equal(items.price, dataset.items["price"])
    np.testing.assert_array_equal(items.category_l2, dataset.items["category_l2"])
    np.testing.assert_array_equal(users.age, dataset.users["age"])
    np.testing.assert_array_equal(users.gender, dataset.users["gender"])
    end = clicks["timestamp"].max() + 1
    last = top_category(
        np.concatenate([clicks["user_id"], dataset.users["user_id"]]),
        np.concatenate([clicks["timestamp"], np.full(USERS, end)]),
        np.concatenate([clicks["category_l1"], np.zeros(USERS, dtype=np.int64)]),
        clicked=np.arange(len(clicks) + USERS) < len(clicks),
    )[len(clicks) :]
    np.testing.assert_array_equal(users.top_category, last)


def test_a_push_reaches_both_stores(settings: Settings, dataset: Dataset, valkey: redis.Redis) -> None:
    feast_repo.materialise(settings, dataset)
    newcomer, at = 777, START + 5 * DAY_S
    push = pd.DataFrame({"user_id": [newcomer, newcomer], "top_category": [3, 2], "timestamp": [at + 9, at]})
    feast_repo.push_behavior(settings, push)

    assert UserFeatureReader(valkey).read([newcomer]).top_category.tolist() == [3]
    moments = pd.DataFrame({"user_id": newcomer, "item_id": 0, "timestamp": [at - 1, at, at + 8, at + 9]})
    assert historical(settings, moments)["top_category"].tolist() == [-1, 2, 2, 3]


@pytest.mark.parametrize(("seconds_later", "kept"), [(-1, 1), (0, 2), (1, 2)])
def test_a_late_push_changes_nothing_and_one_of_the_same_second_wins(
    settings: Settings, valkey: redis.Redis, seconds_later: int, kept: int
) -> None:
    for category, timestamp in ((1, START), (2, START + seconds_later)):
        frame = pd.DataFrame({"user_id": [5], "top_category": [category], "timestamp": [timestamp]})
        feast_repo.push_behavior(settings, frame, to="online")
    assert UserFeatureReader(valkey).read([5]).top_category.tolist() == [kept]


def test_a_new_data_set_replaces_values_at_once(
    settings: Settings, dataset: Dataset, valkey: redis.Redis, tmp_path: Path
) -> None:
    feast_repo.materialise(settings, dataset)
    feast_repo.materialise(settings, write_shop(tmp_path / "dearer", price=500.0))
    assert (ItemFeatureReader(valkey).read(dataset.items["item_id"]).price >= 500).all()


def test_reset_empties_both_stores(settings: Settings, dataset: Dataset, valkey: redis.Redis) -> None:
    feast_repo.materialise(settings, dataset)
    valkey.zadd("recent:0", {"1": 1.0})
    feast_repo.reset(settings)
    assert valkey.keys("*") == [b"recent:0"]
    assert not list((settings.home / "feast").rglob("*.parquet"))


def test_a_broken_registry_is_made_anew(settings: Settings, dataset: Dataset) -> None:
    (settings.home / "feast" / "registry.db").write_bytes(b"\xff\xfe broken")
    feast_store.forget_stores()
    with pytest.raises(RecsysError, match="Feast registry"):
        feast_repo.materialise(settings, dataset)
    feast_repo.apply(settings)
    assert feast_repo.materialise(settings, dataset)[ITEM_VIEW] == ITEMS


def test_without_valkey_it_is_unavailable(settings: Settings, dataset: Dataset) -> None:
    away = settings.model_copy(update={"valkey": ValkeySettings(url="redis://127.0.0.1:1/0")})
    with pytest.raises(Unavailable, match="Valkey"):
        feast_repo.materialise(away, dataset)
    with pytest.raises(Unavailable, match="Valkey"):
        feast_repo.reset(away)


def test_a_missing_column_is_named(settings: Settings) -> None:
    with pytest.raises(BadUse, match="no column timestamp"):
        feast_repo.push_behavior(settings, pd.DataFrame({"user_id": [1], "top_category": [1]}))
