"""Rows of Feast's offline store: users, items, and each user's top category over time."""

from __future__ import annotations

import uuid
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.data.dataset import Dataset
from recsys.data.timeline import blocks_in_time
from recsys.features.behavior import top_category
from recsys.schema import ITEM_COLUMNS, TOP_CATEGORY_WINDOW_S, USER_COLUMNS

EVENT_TIMESTAMP = "event_timestamp"
_EVENTS_A_BLOCK = 1_000_000


def user_rows(dataset: Dataset, timestamp: int) -> pd.DataFrame:
    """user_id, age, gender of every user, valid from a time.

    Args:
        dataset: Where the users are.
        timestamp: Unix seconds from which the rows hold.
    """
    return _with_time(dataset.users[list(USER_COLUMNS)], timestamp)


def item_rows(dataset: Dataset, timestamp: int) -> pd.DataFrame:
    """item_id, price, categories and gender of every item, valid from a time.

    Args:
        dataset: Where the items are.
        timestamp: Unix seconds from which the rows hold.
    """
    return _with_time(dataset.items[list(ITEM_COLUMNS)], timestamp)


def behavior_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Timestamped rows of `user_behavior_features` for Feast.

    Args:
        frame: user_id, top_category and `timestamp`, unix seconds from which the value holds.
    """
    rows = frame[["user_id", "top_category"]].astype("int64")
    return _with_time(rows, frame["timestamp"].to_numpy(np.int64))


def behavior_history(dataset: Dataset, days: list[int] | None = None) -> pd.DataFrame:
    """When each user's top category changed, and to what.

    A click is not seen at its own moment, so it counts from the next second on; and it leaves the window one
    second after the window's length. Between those moments the value cannot change, so a point-in-time join
    with these rows gives `recsys.features.behavior.top_category` exactly.

    Args:
        dataset: Interactions, and the items that give their categories.
        days: Which days; all when not given. Nothing after their last click is computed.

    Returns:
        user_id, top_category, timestamp (int64, unix seconds), sorted by user and time.
    """
    blocks = blocks_in_time(dataset, dataset.days if days is None else days)
    clicks = pd.concat([_clicks(dataset, block) for block in blocks], ignore_index=True)
    if not len(clicks):
        return pd.DataFrame(
            {name: pd.Series(dtype="int64") for name in ("user_id", "top_category", "timestamp")}
        )
    clicks = clicks.astype("int64").sort_values("user_id", kind="stable", ignore_index=True)
    end = int(clicks["timestamp"].max()) + 1
    return pd.concat([_changes(block, end) for block in _user_blocks(clicks)], ignore_index=True)


def _clicks(dataset: Dataset, events: pd.DataFrame) -> pd.DataFrame:
    """user_id, timestamp and category_l1 of the clicks on items that there are."""
    if "click" in events:
        events = events[events["click"] == 1]
    category = dataset.items.set_index("item_id")["category_l1"]
    return pd.DataFrame(
        {
            "user_id": events["user_id"].to_numpy(np.int64),
            "timestamp": events["timestamp"].to_numpy(np.int64),
            "category_l1": category.reindex(events["item_id"]).to_numpy(),
        }
    ).dropna()


def write_part(folder: Path, name: str, rows: pd.DataFrame) -> Path:
    """Writes one parquet file of a view's folder; readers see all of it or nothing.

    Args:
        folder: The view's folder; made when missing.
        name: File name without suffix; an existing file of that name is replaced.
        rows: What to write.

    Returns:
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.parquet"
    # Readers of a folder of parquet files leave names with a leading dot out.
    hidden = folder / f".{name}-{uuid.uuid4().hex}"
    rows.to_parquet(hidden, index=False)
    hidden.replace(path)
    return path


def _with_time(frame: pd.DataFrame, seconds: int | np.ndarray) -> pd.DataFrame:
    return frame.assign(**{EVENT_TIMESTAMP: pd.to_datetime(seconds, unit="s", utc=True)})


def _user_blocks(clicks: pd.DataFrame) -> list[pd.DataFrame]:
    """Cuts clicks, sorted by user, into blocks of whole users, so that memory stays bounded."""
    users = clicks["user_id"].to_numpy()
    cuts = [0]
    while cuts[-1] < len(users):
        last = users[min(cuts[-1] + _EVENTS_A_BLOCK, len(users)) - 1]
        cuts.append(int(np.searchsorted(users, last, side="right")))
    return [clicks.iloc[start:stop] for start, stop in pairwise(cuts)]


def _changes(clicks: pd.DataFrame, end: int) -> pd.DataFrame:
    users, times = clicks["user_id"].to_numpy(), clicks["timestamp"].to_numpy()
    moments = pd.DataFrame(
        {
            "user_id": np.tile(users, 2),
            "timestamp": np.concatenate([times, times + TOP_CATEGORY_WINDOW_S]) + 1,
        }
    )
    moments = moments[moments["timestamp"] <= end].drop_duplicates().sort_values(["user_id", "timestamp"])
    asked = len(moments)
    values = top_category(
        np.concatenate([users, moments["user_id"]]),
        np.concatenate([times, moments["timestamp"]]),
        np.concatenate([clicks["category_l1"], np.zeros(asked, dtype=np.int64)]),
        clicked=np.arange(len(users) + asked) < len(users),
    )[len(users) :]
    rows = moments.assign(top_category=values)[["user_id", "top_category", "timestamp"]]
    same_user = rows["user_id"].to_numpy()[1:] == rows["user_id"].to_numpy()[:-1]
    changed = np.append(True, ~same_user | (values[1:] != values[:-1]))
    return rows[changed].reset_index(drop=True)
