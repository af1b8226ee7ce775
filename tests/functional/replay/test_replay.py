"""Events that pass through the worker give the top categories that training computes.

With `RECSYS_RETAIL_DATA` set, that data set's first days are replayed, else a synthetic shop's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import redis
from factories.feast_values import put_item

from recsys.data.dataset import Dataset
from recsys.data.synthetic import generate
from recsys.features.behavior import top_category
from recsys.online.events import Event
from recsys.online.stream_log import StreamLog
from recsys.online.top_categories import Change
from recsys.online.worker import BehaviorWorker
from recsys.settings import Settings, WorkerSettings

pytestmark = pytest.mark.functional

DAYS = 2
BATCH = 500


class Written:
    """Stands in for the feature store and remembers what was written."""

    def __init__(self) -> None:
        self.online: dict[int, Change] = {}
        self.offline: list[Change] = []

    def write_online(self, changes: Sequence[Change]) -> None:
        for change in changes:
            known = self.online.get(change.user_id)
            if known is None or known.timestamp <= change.timestamp:
                self.online[change.user_id] = change

    def write_offline(self, changes: Sequence[Change]) -> None:
        self.offline += changes


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    given = os.environ.get("RECSYS_RETAIL_DATA")
    if given:
        return Dataset.open(Path(given))
    folder = tmp_path_factory.mktemp("replay") / "shop"
    generate(folder, users=300, items=80, rows=20_000, days=4, images=False)
    return Dataset.open(folder)


def test_a_replay_differs_nowhere_from_training(
    dataset: Dataset, valkey: redis.Redis, tmp_path: Path
) -> None:
    events = dataset.interactions(dataset.days[:DAYS] if "RECSYS_RETAIL_DATA" in os.environ else dataset.days)
    if "click" in events:
        events = events[events["click"] == 1]
    items = dataset.items.set_index("item_id")
    for item, row in items.iterrows():
        columns = ("category_l1", "category_l2", "item_gender")
        put_item(valkey, item, price=float(row["price"]), **{name: int(row[name]) for name in columns})
    users, times, ids = (events[name].to_numpy(np.int64) for name in ("user_id", "timestamp", "item_id"))
    categories = items["category_l1"].reindex(ids).to_numpy()

    settings = Settings(home=tmp_path, worker=WorkerSettings(wait_s=0.001, batch=BATCH, offline_s=1e6))
    written, now = Written(), 0
    log = StreamLog(valkey, settings.events)
    worker = BehaviorWorker(
        valkey, StreamLog(valkey, settings.events), written, settings, now_ms=lambda: now * 1000
    )
    for start in range(0, len(users), BATCH):
        rows = range(start, min(start + BATCH, len(users)))
        log.append([Event(f"e{row}", int(users[row]), int(ids[row]), int(times[row]) * 1000) for row in rows])
        now = int(times[rows[-1]])
        while worker.step():
            pass
    while worker.flush():
        pass

    assert worker.counts.applied == len(users)
    assert as_of(written.offline, users, times) == top_category(users, times, categories).tolist()

    now = int(times.max()) + 1
    worker.step()
    asked = np.unique(users)
    last = top_category(
        np.concatenate([users, asked]),
        np.concatenate([times, np.full(len(asked), now)]),
        np.concatenate([categories, np.zeros(len(asked), dtype=np.int64)]),
        clicked=np.arange(len(users) + len(asked)) < len(users),
    )[len(users) :]
    assert [written.online[user].top_category for user in asked.tolist()] == last.tolist()


def as_of(told: Sequence[Change], users: np.ndarray, times: np.ndarray) -> list[int]:
    """What the history says each user's top category was; the later of two rows of one moment holds."""
    history = pd.DataFrame(told, columns=list(Change._fields)).sort_values("timestamp", kind="stable")
    asked = pd.DataFrame({"user_id": users, "timestamp": times, "row": range(len(users))})
    joined = pd.merge_asof(
        asked.sort_values("timestamp", kind="stable"), history, on="timestamp", by="user_id"
    )
    return joined.sort_values("row")["top_category"].fillna(-1).astype(int).tolist()
