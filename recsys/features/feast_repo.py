"""Feast at training time: define, fill, push and join point-in-time, through the Feast SDK.

Reading at serving time is `recsys.features.online_store`; importing this module imports Feast, which takes
seconds. Feast 0.48 sends no usage statistics.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd
import redis
from google.protobuf.timestamp_pb2 import Timestamp

from recsys.data.dataset import Dataset
from recsys.errors import BadUse, RecsysError
from recsys.features import feast_offline as offline
from recsys.features.feast_store import (
    definitions,
    feast_home,
    forget_stores,
    one_line_errors,
    open_store,
)
from recsys.features.online_store import BEHAVIOR_VIEW, ITEM_VIEW, USER_VIEW, entity_key, entity_key_prefix
from recsys.schema import UNKNOWN
from recsys.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore

HISTORICAL_FEATURES: Final = (
    f"{USER_VIEW}:age",
    f"{USER_VIEW}:gender",
    f"{BEHAVIOR_VIEW}:top_category",
    f"{ITEM_VIEW}:price",
    f"{ITEM_VIEW}:category_l1",
    f"{ITEM_VIEW}:category_l2",
    f"{ITEM_VIEW}:item_gender",
)
_JOIN_KEYS = {USER_VIEW: "user_id", BEHAVIOR_VIEW: "user_id", ITEM_VIEW: "item_id"}
_PUSH_SOURCE = "behavior_push"
_BEHAVIOR_COLUMNS = ("user_id", "top_category", "timestamp")
_ENTITY_COLUMNS = ("user_id", "item_id", "timestamp")
_ROWS_A_WRITE = 10_000  # bounds memory and the length of one pipeline
_ROWS_A_JOIN = 100_000  # the file store's join holds all past rows of all these rows' entities at once


def apply(settings: Settings) -> None:
    """Registers the repository's definitions; a second time changes nothing.

    A local registry that cannot be read is made anew, since it holds nothing that is not in the repository.

    Args:
        settings: Profile, home folder and Valkey's URL.

    Raises:
        BadUse: The repository or a variable of its YAML is missing.
        Unavailable: Valkey did not answer.
    """
    objects = definitions().define(settings)
    for view in _JOIN_KEYS:
        if settings.profile == "local":
            (feast_home(settings) / view).mkdir(parents=True, exist_ok=True)
    forget_stores()
    try:
        with one_line_errors(settings):
            open_store(settings).apply(objects)
    except RecsysError:
        registry = feast_home(settings) / "registry.db"
        if settings.profile != "local" or not registry.exists():
            raise
        registry.unlink()
        with one_line_errors(settings):
            open_store(settings).apply(objects)
    forget_stores()


def materialise(settings: Settings, dataset: Dataset, days: Sequence[int] | None = None) -> dict[str, int]:
    """Writes a data set's features to the offline store and their newest values to the online store.

    Feast's own materialisation reads the offline store back and keeps the row with the newest time; the rows
    are at hand here, so they are written straight away, which gives the same values in less time.

    Args:
        settings: Profile, home folder and Valkey's URL.
        dataset: Users, items and interactions.
        days: The days that this state of users and items holds for, all of the data set's when not given.
            Clicks count from the data set's first day to the last of these.

    Returns:
        Rows written to the online store, by feature view.

    Raises:
        RecsysError: The registry is missing: `apply` comes first.
        Unavailable: Valkey did not answer.
    """
    used = sorted(dataset.days if days is None else days)
    start = _first_second(dataset, used[0])
    history = offline.behavior_history(dataset, [day for day in dataset.days if day <= used[-1]])
    since = f"from-{_first_second(dataset, dataset.days[0])}"
    _write_offline(settings, USER_VIEW, f"from-{start}", offline.user_rows(dataset, start))
    _write_offline(settings, ITEM_VIEW, f"from-{start}", offline.item_rows(dataset, start))
    _write_offline(settings, BEHAVIOR_VIEW, since, offline.behavior_rows(history))
    # Online, users and items are what this data set says as of now, whatever was written before.
    now = int(time.time())
    newest = history.drop_duplicates("user_id", keep="last")
    rows = {
        USER_VIEW: offline.user_rows(dataset, now),
        ITEM_VIEW: offline.item_rows(dataset, now),
        BEHAVIOR_VIEW: offline.behavior_rows(newest),
    }
    for view, frame in rows.items():
        _write_online(settings, view, frame)
    return {view: len(frame) for view, frame in rows.items()}


def push_behavior(
    settings: Settings, frame: pd.DataFrame, to: Literal["online", "offline", "both"] = "both"
) -> None:
    """Pushes new top categories through Feast's push source.

    Online, a row older than the stored one changes nothing, one of the same second replaces it. Offline,
    local rows become one new file of the view's folder: Feast's own push rewrites the whole file in place,
    and a crash meanwhile would lose it.

    Args:
        settings: Profile, home folder and Valkey's URL.
        frame: user_id, top_category, timestamp (int64, unix seconds): the value holds from then on, which is
            one second after the click that made it.
        to: Which store.

    Raises:
        BadUse: A column is missing.
        RecsysError: The registry is missing: `apply` comes first.
        Unavailable: Valkey did not answer.
    """
    _check_columns("pushed rows", frame, _BEHAVIOR_COLUMNS)
    if not len(frame):
        return
    rows = offline.behavior_rows(frame)
    if to != "online":
        name = f"pushed-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        _write_offline(settings, BEHAVIOR_VIEW, name, rows)
    if to != "offline":
        newest = rows.sort_values(offline.EVENT_TIMESTAMP, kind="stable").drop_duplicates(
            "user_id", keep="last"
        )
        _write_online(settings, BEHAVIOR_VIEW, newest, push=True)


def historical(
    settings: Settings, entities: pd.DataFrame, features: Sequence[str] = HISTORICAL_FEATURES
) -> pd.DataFrame:
    """Features as they were at each row's time, by Feast's point-in-time join.

    Args:
        settings: Profile and home folder.
        entities: user_id, item_id, timestamp (int64, unix seconds); any order, repeats allowed.
        features: `view:feature` names.

    Returns:
        `entities` in its order and index, with one column a feature: int64 with -1 where nothing was known
        yet; age and price float32 with NaN there.

    Raises:
        BadUse: A column is missing.
        RecsysError: The registry is missing: `apply` comes first.
    """
    _check_columns("entity rows", entities, _ENTITY_COLUMNS)
    keys = entities[list(_ENTITY_COLUMNS)].astype("int64")
    answers = {}
    for view in dict.fromkeys(feature.split(":")[0] for feature in features):
        names = [feature.split(":")[1] for feature in features if feature.startswith(f"{view}:")]
        joined = _join(settings, keys[[_JOIN_KEYS[view], "timestamp"]], view, names)
        answers.update({name: _column(name, joined[name]) for name in names})
    return entities.assign(**answers)


def reset(settings: Settings) -> None:
    """Empties both stores, so that another data set can take the place of this one.

    Args:
        settings: Profile, home folder and Valkey's URL.

    Raises:
        RecsysError: The registry is missing: `apply` comes first.
        Unavailable: Valkey did not answer.
    """
    with one_line_errors(settings):
        store = open_store(settings)
        client = _client(store)
        # Feast's own deletion looks for keys of serialisation version 2 and finds none.
        for join_key in set(_JOIN_KEYS.values()):
            pattern = entity_key_prefix(join_key) + b"*" + store.project.encode()
            keys = list(client.scan_iter(pattern, count=_ROWS_A_WRITE))
            for start in range(0, len(keys), _ROWS_A_WRITE):
                client.unlink(*keys[start : start + _ROWS_A_WRITE])
    if settings.profile == "local":
        for view in _JOIN_KEYS:
            for path in (feast_home(settings) / view).glob("*.parquet"):
                path.unlink()


def _join(settings: Settings, keys: pd.DataFrame, view: str, names: Sequence[str]) -> pd.DataFrame:
    """One view's features for each row of `keys`, in its order.

    Feast's file store drops repeated rows, sorts, and drops a row altogether when one of several views knows
    its entity only later. So it is asked view by view, once for each distinct row; the answers are spread.
    """
    asked = keys.drop_duplicates(ignore_index=True)
    times = pd.to_datetime(asked["timestamp"], unit="s", utc=True)
    asked = asked.assign(**{offline.EVENT_TIMESTAMP: times})
    references = [f"{view}:{name}" for name in names]
    parts = []
    with one_line_errors(settings):
        store = open_store(settings)
        for start in range(0, max(len(asked), 1), _ROWS_A_JOIN):
            chunk = asked.iloc[start : start + _ROWS_A_JOIN]
            parts.append(store.get_historical_features(entity_df=chunk, features=references).to_df())
    return keys.merge(pd.concat(parts), how="left", on=list(keys.columns))


def _column(name: str, values: pd.Series) -> np.ndarray:
    dtype = "float32" if name in ("age", "price") else "int64"
    filled = values if dtype == "float32" else values.fillna(UNKNOWN)
    return np.asarray(filled, dtype=dtype)


def _write_offline(settings: Settings, view: str, name: str, rows: pd.DataFrame) -> None:
    if settings.profile == "local":
        offline.write_part(feast_home(settings) / view, name, rows)
        return
    with one_line_errors(settings):
        open_store(settings).write_to_offline_store(view, rows)


def _write_online(settings: Settings, view: str, rows: pd.DataFrame, push: bool = False) -> None:
    with one_line_errors(settings):
        store = open_store(settings)
        for start in range(0, len(rows), _ROWS_A_WRITE):
            chunk = rows.iloc[start : start + _ROWS_A_WRITE]
            _allow_same_second(store, view, chunk)
            if push:
                store.push(_PUSH_SOURCE, chunk)
            else:
                store.write_to_online_store(view, chunk)


def _allow_same_second(store: FeatureStore, view: str, rows: pd.DataFrame) -> None:
    """Forgets stored times that equal the new ones: Feast would keep the older value of the same second."""
    client = _client(store)
    field = f"_ts:{view}"
    keys = [entity_key(_JOIN_KEYS[view], key, store.project) for key in rows[_JOIN_KEYS[view]].tolist()]
    seconds = rows[offline.EVENT_TIMESTAMP].to_numpy("datetime64[s]").astype("int64").tolist()
    reads = client.pipeline(transaction=False)
    for key in keys:
        reads.hget(key, field)
    same = [
        key
        for key, stored, second in zip(keys, reads.execute(), seconds, strict=True)
        if stored is not None and Timestamp.FromString(stored).seconds == second
    ]
    deletes = client.pipeline(transaction=False)
    for key in same:
        deletes.hdel(key, field)
    deletes.execute()


def _client(store: FeatureStore) -> redis.Redis:
    """The client that Feast's online store holds, with the time limits of its YAML."""
    client: redis.Redis = store._get_provider().online_store._get_client(store.config.online_store)
    return client


def _first_second(dataset: Dataset, day: int) -> int:
    return int(dataset.interactions([day])["timestamp"].min())


def _check_columns(thing: str, frame: pd.DataFrame, needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in frame]
    if missing:
        raise BadUse(thing, f"no column {', '.join(missing)}", f"Give the columns {', '.join(needed)}.")
