"""Feast's repository applied, filled, pushed to and emptied, through the Feast SDK.

Reading at serving time is `recsys.features.online_store`; `recsys.features.feast_history` reads the past.
Importing this module imports Feast, which takes
seconds. Feast 0.48 sends no usage statistics.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import pandas as pd
import redis

from recsys.data.dataset import Dataset
from recsys.errors import RecsysError, Unavailable
from recsys.features import feast_offline as offline
from recsys.features.feast_layout import (
    BEHAVIOR_VIEW,
    ITEM_VIEW,
    JOIN_KEYS,
    USER_VIEW,
    decode_time,
    entity_key,
    entity_key_prefix,
    time_field,
)
from recsys.features.feast_store import (
    check_columns,
    definitions,
    feast_home,
    forget_stores,
    one_line_errors,
    open_store,
)
from recsys.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore

_PUSH_SOURCE = "behavior_push"
_BEHAVIOR_COLUMNS = ("user_id", "top_category", "timestamp")
_ROWS_A_WRITE = 10_000  # bounds memory and the length of one pipeline


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
    for view in JOIN_KEYS:
        if settings.profile == "local":
            (feast_home(settings) / view).mkdir(parents=True, exist_ok=True)
    forget_stores()
    try:
        with one_line_errors(settings):
            open_store(settings).apply(objects)
    except Unavailable:
        raise
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
        write_online(settings, view, frame)
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
    check_columns("pushed rows", frame, _BEHAVIOR_COLUMNS)
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
        write_online(settings, BEHAVIOR_VIEW, newest)


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
        for join_key in set(JOIN_KEYS.values()):
            pattern = entity_key_prefix(join_key) + b"*" + store.project.encode()
            keys = list(client.scan_iter(pattern, count=_ROWS_A_WRITE))
            for start in range(0, len(keys), _ROWS_A_WRITE):
                client.unlink(*keys[start : start + _ROWS_A_WRITE])
    if settings.profile == "local":
        for view in JOIN_KEYS:
            for path in (feast_home(settings) / view).glob("*.parquet"):
                path.unlink()


def _write_offline(settings: Settings, view: str, name: str, rows: pd.DataFrame) -> None:
    if settings.profile == "local":
        offline.write_part(feast_home(settings) / view, name, rows)
        return
    with one_line_errors(settings):
        open_store(settings).write_to_offline_store(view, rows)


def write_online(settings: Settings, view: str, rows: pd.DataFrame) -> None:
    """Writes rows to the online store in pieces; a stored row that is newer stays, one as old is replaced.

    Args:
        settings: Profile, home folder and Valkey's URL.
        view: Feature view; `user_behavior_features` goes through its push source.
        rows: The view's columns and `event_timestamp`, at most one row an entity.

    Raises:
        RecsysError: The registry is missing: `apply` comes first.
        Unavailable: Valkey did not answer.
    """
    with one_line_errors(settings):
        store = open_store(settings)
        for start in range(0, len(rows), _ROWS_A_WRITE):
            chunk = rows.iloc[start : start + _ROWS_A_WRITE]
            _allow_same_second(store, view, chunk)
            if view == BEHAVIOR_VIEW:
                store.push(_PUSH_SOURCE, chunk)
            else:
                store.write_to_online_store(view, chunk)


def _allow_same_second(store: FeatureStore, view: str, rows: pd.DataFrame) -> None:
    """Forgets stored times that equal the new ones: Feast would keep the older value of the same second."""
    client = _client(store)
    field = time_field(view)
    keys = [entity_key(JOIN_KEYS[view], key, store.project) for key in rows[JOIN_KEYS[view]].tolist()]
    seconds = rows[offline.EVENT_TIMESTAMP].to_numpy("datetime64[s]").astype("int64").tolist()
    reads = client.pipeline(transaction=False)
    for key in keys:
        reads.hget(key, field)
    same = [
        key
        for key, stored, second in zip(keys, reads.execute(), seconds, strict=True)
        if decode_time(stored) == second
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
