from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import redis
import yaml

from recsys.data.dataset import Dataset
from recsys.errors import BadUse, RecsysError, Unavailable
from recsys.features import feast_repo, feast_store
from recsys.features.behavior import top_category
from recsys.features.feast_offline import behavior_history
from recsys.features.online_store import (
    BEHAVIOR_VIEW,
    ENTITY_KEY_VERSION,
    ITEM_VIEW,
    PROJECT,
    USER_VIEW,
    ItemFeatureReader,
    UserFeatureReader,
)
from recsys.local.valkey import ValkeyServer
from recsys.settings import Settings, ValkeySettings

START = 1_754_006_400
DAY_S = 24 * 3600
USERS, ITEMS, CATEGORIES = 12, 20, 4


def _write_dataset(path: Path, seed: int = 0, price: float = 10.0) -> Dataset:
    """Three days of a small shop, with many clicks of one user in the same second."""
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


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return _write_dataset(tmp_path / "shop")


@pytest.fixture
def settings(valkey: redis.Redis, valkey_server: ValkeyServer, tmp_path: Path) -> Iterator[Settings]:
    """An applied repository on an empty Valkey."""
    settings = Settings(home=tmp_path / "home", valkey=ValkeySettings(url=valkey_server.url, timeout_s=5))
    feast_repo.apply(settings)
    yield settings
    feast_store.forget_stores()


def _clicks(dataset: Dataset) -> pd.DataFrame:
    clicks = dataset.interactions(dataset.days)
    category = dataset.items.set_index("item_id")["category_l1"]
    return clicks.assign(category_l1=category.reindex(clicks["item_id"]).to_numpy())


def test_online_values_are_the_data_sets(settings: Settings, dataset: Dataset, valkey: redis.Redis) -> None:
    written = feast_repo.materialise(settings, dataset)

    items = ItemFeatureReader(valkey).read(dataset.items["item_id"])
    users = UserFeatureReader(valkey).read(dataset.users["user_id"])
    clicks = _clicks(dataset)
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


def test_historical_features_are_top_category_point_in_time(settings: Settings, dataset: Dataset) -> None:
    feast_repo.materialise(settings, dataset)
    clicks = _clicks(dataset).sample(frac=1.0, random_state=1)
    joined = feast_repo.historical(settings, clicks)
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
    past = _clicks(dataset).query("timestamp < @cut")
    before = feast_repo.historical(settings, past)
    later = pd.DataFrame({"user_id": past["user_id"].unique(), "top_category": 99, "timestamp": cut})
    feast_repo.push_behavior(settings, later, to="offline")
    dearer = _write_dataset(tmp_path / "dearer", price=500.0)
    feast_repo.materialise(settings, dearer, days=[1, 2])

    pd.testing.assert_frame_equal(feast_repo.historical(settings, past), before)
    after = feast_repo.historical(settings, past.assign(timestamp=START + 30 * DAY_S))
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
    joined = feast_repo.historical(settings, entities)
    assert joined["price"].isna().tolist() == [False, True, False, True]
    assert joined["gender"].tolist() == [0, -1, 0, -1]
    assert joined["top_category"].iloc[0] == joined["top_category"].iloc[2] != -1
    assert joined["top_category"].dtype == np.int64


def test_a_push_reaches_both_stores(settings: Settings, dataset: Dataset, valkey: redis.Redis) -> None:
    feast_repo.materialise(settings, dataset)
    newcomer, at = 777, START + 5 * DAY_S
    push = pd.DataFrame({"user_id": [newcomer, newcomer], "top_category": [3, 2], "timestamp": [at + 9, at]})
    feast_repo.push_behavior(settings, push)

    assert UserFeatureReader(valkey).read([newcomer]).top_category.tolist() == [3]
    moments = pd.DataFrame({"user_id": newcomer, "item_id": 0, "timestamp": [at - 1, at, at + 8, at + 9]})
    assert feast_repo.historical(settings, moments)["top_category"].tolist() == [-1, 2, 2, 3]


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
    feast_repo.materialise(settings, _write_dataset(tmp_path / "dearer", price=500.0))
    assert (ItemFeatureReader(valkey).read(dataset.items["item_id"]).price >= 500).all()


def test_reset_empties_both_stores(settings: Settings, dataset: Dataset, valkey: redis.Redis) -> None:
    feast_repo.materialise(settings, dataset)
    valkey.zadd("recent:0", {"1": 1.0})
    feast_repo.reset(settings)
    assert valkey.keys("*") == [b"recent:0"]
    assert not list((settings.home / "feast").rglob("*.parquet"))


def test_clicks_alone_make_behaviour(tmp_path: Path) -> None:
    dataset = _write_dataset(tmp_path / "shop")
    path = tmp_path / "shop" / "day_02.parquet"
    pd.read_parquet(path).assign(click=np.int8(0)).to_parquet(path)
    for day in (0, 1):
        other = tmp_path / "shop" / f"day_{day:02d}.parquet"
        pd.read_parquet(other).assign(click=np.int8(1)).to_parquet(other)
    dataset = Dataset.open(tmp_path / "shop")
    assert behavior_history(dataset)["timestamp"].max() <= START + 2 * DAY_S
    assert behavior_history(dataset, [2]).empty


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


def test_a_missing_column_is_named(settings: Settings) -> None:
    with pytest.raises(BadUse, match="no column timestamp"):
        feast_repo.push_behavior(settings, pd.DataFrame({"user_id": [1], "top_category": [1]}))
    with pytest.raises(BadUse, match="no column item_id"):
        feast_repo.historical(settings, pd.DataFrame({"user_id": [1], "timestamp": [1]}))


@pytest.mark.parametrize("profile", ["local", "eks"])
def test_both_yaml_files_agree_with_the_readers(profile: str) -> None:
    config = yaml.safe_load((feast_store.repository() / f"feature_store.{profile}.yaml").read_text())
    assert config["project"] == PROJECT
    assert config["entity_key_serialization_version"] == ENTITY_KEY_VERSION
    assert config["online_store"]["type"] == "redis"
    assert "socket_timeout=" in config["online_store"]["connection_string"]


def test_the_eks_profile_has_tls_athena_and_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "RECSYS_FEAST_REGISTRY": "s3://bucket/feast/registry.db",
        "RECSYS_FEAST_REDIS": "cache.example:6379,db=0",
        "AWS_REGION": "eu-central-1",
        "RECSYS_FEAST_ATHENA_CATALOG": "AwsDataCatalog",
        "RECSYS_FEAST_ATHENA_DATABASE": "shop",
        "RECSYS_FEAST_ATHENA_WORKGROUP": "primary",
        "RECSYS_FEAST_ATHENA_STAGING": "s3://bucket/feast/staging",
    }
    settings = Settings(profile="eks")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(BadUse, match=r"the variable \w+ is not set"):
        feast_store.config_text(settings)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    config = yaml.safe_load(feast_store.config_text(settings))
    assert "ssl=true" in config["online_store"]["connection_string"]
    assert config["offline_store"]["database"] == "shop"
    assert config["registry"]["path"] == values["RECSYS_FEAST_REGISTRY"]
    sources = {type(view.batch_source).__name__ for view in feast_store.definitions().define(settings)[3:6]}
    assert sources == {"AthenaSource"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://127.0.0.1:6379/0", "127.0.0.1:6379,db=0"),
        ("redis://host", "host:6379,db=0"),
        ("rediss://u:p%40ss@host:7000/2", "host:7000,db=2,username=u,password=p@ss,ssl=true"),
    ],
)
def test_urls_in_feasts_words(url: str, expected: str) -> None:
    assert feast_store.connection_string(url) == expected


@pytest.mark.parametrize("url", ["http://host", "redis://", "redis://:a%2Cb@host"])
def test_urls_feast_cannot_use_are_refused(url: str) -> None:
    with pytest.raises(BadUse, match="RECSYS_VALKEY__URL"):
        feast_store.connection_string(url)


def test_feasts_own_command_line_reads_the_repository(
    settings: Settings, valkey_server: ValkeyServer
) -> None:
    redis_words = feast_store.connection_string(valkey_server.url)
    names = {
        "RECSYS_HOME": str(settings.home),
        "RECSYS_FEAST_REGISTRY": str(settings.home / "cli.db"),
        "RECSYS_FEAST_REDIS": redis_words,
    }
    folder = feast_store.repository()
    feast = [str(Path(sys.executable).parent / "feast"), "-c", str(folder)]
    feast += ["-f", str(folder / "feature_store.local.yaml")]
    for words in (["apply"], ["feature-views", "list"]):
        done = subprocess.run(
            [*feast, *words], env=os.environ | names, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
    for view in (USER_VIEW, BEHAVIOR_VIEW, ITEM_VIEW):
        assert view in done.stdout
