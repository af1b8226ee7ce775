"""A replay through the worker, Feast and Valkey: what serving reads for a request is what training computes.

All that the models read of users and items is compared at several moments: age, gender, top category and the
newest clicks with their ages, each item's values and how popular it is, and what the release's workflow makes
of a user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import redis
from factories.release import MEAN_AGE, make_release

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.synthetic import generate
from recsys.features import feast_offline, feast_repo, feast_store
from recsys.features.arrays import ArrayWorkflow
from recsys.features.feast_layout import ITEM_VIEW, USER_VIEW
from recsys.features.popularity import PopularityLog
from recsys.features.recents import ClickLog
from recsys.features.training import feature_rows
from recsys.local.valkey import ValkeyServer
from recsys.online.behavior_store import FeastBehaviorStore
from recsys.online.events import Event
from recsys.online.stream_log import StreamLog
from recsys.online.worker import BehaviorWorker
from recsys.serving.stage import Arrays
from recsys.serving.stages.feast_item_lookup import load as load_item_lookup
from recsys.serving.stages.feast_user_lookup import load as load_user_lookup
from recsys.serving.store import Store
from recsys.settings import Settings, ValkeySettings, WorkerSettings

pytestmark = pytest.mark.functional

LATER_S = 75 * 365 * 86_400 + 5 * 86_400
"""Days of long ago are moved on, or the server's clock would let their keys expire."""

MOMENTS = 6
NOBODY = 10**15
EXACT = 1e-6


@dataclass
class Online:
    """The servers' side of a shop, and its clock.

    Attributes:
        settings: Of all parts.
        release: Its artefacts.
        valkey: Client.
        now: Unix seconds.
        appended: Events so far.
    """

    settings: Settings
    release: Path
    valkey: redis.Redis
    now: int = 0
    appended: int = 0
    worker: BehaviorWorker = field(init=False)

    def __post_init__(self) -> None:
        log, store = StreamLog(self.valkey, self.settings.events), FeastBehaviorStore(self.settings)
        self.worker = BehaviorWorker(self.valkey, log, store, self.settings, now_ms=lambda: self.now * 1000)

    def replay(self, events: pd.DataFrame) -> None:
        """Puts events into the log and lets the worker apply them all."""
        columns = [events[name].tolist() for name in ("user_id", "item_id", "timestamp")]
        log = StreamLog(self.valkey, self.settings.events)
        log.append(
            [
                Event(f"e{self.appended + at}", user, item, time * 1000)
                for at, (user, item, time) in enumerate(zip(*columns, strict=True))
            ]
        )
        self.appended += len(events)
        self.now = int(events["timestamp"].iloc[-1]) + 1
        while self.worker.step():
            pass
        self.worker.step()  # nothing left: what has left the window by now is dropped

    def users(self, users: np.ndarray) -> Arrays:
        """What serving reads for requests of this moment."""
        lookup = load_user_lookup(self.release, {}, Store.of(self.valkey, self.settings))
        moment = np.full(len(users), self.now)
        return lookup.run({"user_id": users[:, None], "timestamp": moment[:, None]})

    def items(self, count: int) -> Arrays:
        """What serving reads of the whole catalogue."""
        store = Store.of(self.valkey, self.settings)
        lookup = load_item_lookup(self.release, {"item_refresh_s": "3600"}, store)
        found = lookup.run({"items": np.arange(count)[None]})
        lookup.close()
        return found


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("replay") / "shop"
    generate(folder, users=60, items=40, rows=3_000, days=4, images=False)
    return Dataset.open(folder)


@pytest.fixture
def online(
    dataset: Dataset, valkey: redis.Redis, valkey_server: ValkeyServer, tmp_path: Path
) -> Iterator[Online]:
    settings = Settings(
        home=tmp_path / "home",
        valkey=ValkeySettings(url=valkey_server.url, timeout_s=5),
        worker=WorkerSettings(wait_s=0.001, batch=200, offline_s=1e6),
    )
    release = make_release(
        tmp_path / "release", items=len(dataset.items), item_ids=dataset.items["item_id"].tolist()
    )
    feast_repo.apply(settings)
    first = 1_000_000_000
    feast_repo.write_online(settings, USER_VIEW, feast_offline.user_rows(dataset, first))
    feast_repo.write_online(settings, ITEM_VIEW, feast_offline.item_rows(dataset, first))
    yield Online(settings, release, valkey)
    feast_store.forget_stores()


def test_what_serving_reads_is_what_training_computes(dataset: Dataset, online: Online) -> None:
    events = dataset.interactions(dataset.days)
    events = events[events["click"] == 1].assign(timestamp=events["timestamp"] + LATER_S)
    users = np.append(dataset.users["user_id"].to_numpy(), NOBODY)
    compared, widest = 0, 0
    for part in np.array_split(np.arange(len(events)), MOMENTS):
        online.replay(events.iloc[part])
        known = events.iloc[: part[-1] + 1]
        found, expected = online.users(users), offline(dataset, known, users, online.now)
        for name, column in expected.items():
            assert found[name].shape == (len(users), *column.shape[1:]), name
            assert np.abs(found[name] - column).max() <= EXACT, name
            compared += column.size
        items = online.items(len(dataset.items))
        for name, column in offline_items(dataset, known, online).items():
            assert np.abs(items[name][0] - column).max() <= EXACT, name
            compared += column.size
        assert not items["item_flags"].any()
        widest = max(widest, int((expected["recent_items"] != schema.NO_ITEM).sum(axis=1).max()))
        transformed(online.release, found, expected, users)
    assert online.worker.counts.applied == len(events)
    of_users, of_items = 3 + 2 * schema.RECENT_CLICKS, len(schema.ITEM_RAW) + 1
    assert compared == MOMENTS * (len(users) * of_users + len(dataset.items) * of_items)
    assert widest >= 20  # so there was something to compare
    assert np.ptp(items[schema.ITEM_POPULARITY]) > 1


def offline(dataset: Dataset, known: pd.DataFrame, users: np.ndarray, now: int) -> Arrays:
    """The features of training for rows of this moment; the last user is in no table."""
    asked = pd.DataFrame({"user_id": users[:-1], "timestamp": now, "device_type": 0})
    asked["item_id"] = dataset.items["item_id"].iloc[0]
    rows = feature_rows(dataset, asked, known)
    recents = ClickLog.build(known, dataset.items["item_id"]).recent(users, np.full(len(users), now))
    nobody = {"age": np.float32(MEAN_AGE), "gender": schema.UNKNOWN, "top_category": schema.UNKNOWN}
    own = {name: np.append(rows[name].to_numpy(), unknown)[:, None] for name, unknown in nobody.items()}
    return own | recents.tensors()


def offline_items(dataset: Dataset, known: pd.DataFrame, online: Online) -> Arrays:
    """The items' values in training, at this moment."""
    half_life_s = online.settings.popularity.half_life_s
    log = PopularityLog.build(known, dataset.items["item_id"], half_life_s)
    every = np.arange(len(dataset.items))[None]
    found = {name: dataset.items[name].to_numpy() for name in schema.ITEM_RAW}
    return found | {schema.ITEM_POPULARITY: log.before(every, np.array([online.now]))[0]}


def transformed(release: Path, found: Arrays, expected: Arrays, users: np.ndarray) -> None:
    """Both sides come out of the release's user workflow alike."""
    workflow = ArrayWorkflow.load(release, schema.USER_WORKFLOW)
    raw = [{name: side[name] for name in ("age", "gender", "top_category")} for side in (found, expected)]
    one, other = (workflow.transform(side | {"user_id": users[:, None]}) for side in raw)
    for name in schema.USER_FEATURES:
        assert np.abs(one[name] - other[name]).max() <= EXACT, name
