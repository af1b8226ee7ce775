"""Raw training rows: interactions joined with what was known of user and item just before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.masking import mask_cold_start
from recsys.data.timeline import blocks_in_time
from recsys.errors import BadData
from recsys.features.behavior import TopCategories, top_category
from recsys.features.modes import Int64s
from recsys.settings import TrainingSettings, get_settings


def default_age(dataset: Dataset) -> float:
    """Mean age of all users, in years: what an unknown user's age is taken to be."""
    return float(dataset.users["age"].mean())


def training_rows(
    dataset: Dataset,
    days: Iterable[int],
    mean_age: float | None = None,
    *,
    masked: bool = True,
    history_days: Iterable[int] | None = None,
    settings: TrainingSettings | None = None,
) -> pd.DataFrame:
    """Joins days of interactions with their users and items and each user's top category at that time.

    Args:
        dataset: A validated data set.
        days: The days whose rows are wanted.
        mean_age: Age given to masked rows; by default `default_age(dataset)`.
        masked: Whether the settings' share of rows lose their user or device (see `mask_cold_start`).
        history_days: Days whose clicks count towards `top_category`; by default every day that the data set
            holds up to the last of `days`. Of these only what comes before a row's own time counts.
        settings: Shares and seed of the masking; by default the process's.

    Returns:
        One row an interaction, in order of time: `schema.USER_RAW` (int64, `age` float32), `VISITOR`
        (int64, the user, never masked), `CONTEXT_RAW` (int64), `ITEM_RAW` (int64, `price` float32) and
        `click` (int8, 1 where the data has none) and `schema.EVENT` (int8).

    Raises:
        BadUse: There is no such day.
        BadData: A row names a user or an item that the data set does not hold.
    """
    blocks = training_blocks(
        dataset, days, mean_age, masked=masked, history_days=history_days, settings=settings
    )
    return pd.concat(blocks, ignore_index=True)


def training_blocks(
    dataset: Dataset,
    days: Iterable[int],
    mean_age: float | None = None,
    *,
    masked: bool = True,
    history_days: Iterable[int] | None = None,
    settings: TrainingSettings | None = None,
) -> Iterator[pd.DataFrame]:
    """The rows of `training_rows` in the order of time, about a day at a time, so that memory stays bounded.

    Args:
        dataset: As for `training_rows`.
        days: As there; where there is none, there is no block.
        mean_age: As there.
        masked: As there.
        history_days: As there.
        settings: As there.

    Raises:
        BadUse: There is no such day.
        BadData: A row names a user or an item that the data set does not hold.
    """
    wanted = sorted(set(days))
    past = sorted(set(history_days)) if history_days is not None else _up_to(dataset, wanted)
    settings = settings or get_settings().training
    age = default_age(dataset) if mean_age is None else mean_age
    for rows in _known_blocks(dataset, wanted, past):
        yield mask_cold_start(rows, age, settings.seed, settings) if masked else rows


def feature_rows(dataset: Dataset, interactions: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Joins given interactions, for example an evaluation sample, with the features of their time.

    Args:
        dataset: A validated data set.
        interactions: Columns of `schema.DAY_COLUMNS`, any order and index.
        history: Interactions whose clicks count towards `top_category`, each for rows after it.

    Returns:
        As `training_rows`, unmasked, in the order and with the index of `interactions`.

    Raises:
        BadData: A row names a user or an item that the data set does not hold.
    """
    columns = ["user_id", "timestamp", "item_id"]
    both = pd.concat([history[columns], interactions[columns]], ignore_index=True)
    item_row = _rows_of(dataset.items, "item_id", both["item_id"], schema.ITEMS_FILE)
    category = dataset.items["category_l1"].to_numpy()[item_row]
    known = np.concatenate([_clicks(history) == 1, np.zeros(len(interactions), dtype=bool)])
    top = top_category(both["user_id"], both["timestamp"], category, known)[len(history) :]
    return _join(dataset, interactions, top)


def _up_to(dataset: Dataset, days: list[int]) -> list[int]:
    return [day for day in dataset.days if days and day <= days[-1]]


def _known_blocks(dataset: Dataset, wanted: list[int], past: list[int]) -> Iterator[pd.DataFrame]:
    """Rows of the wanted days before masking, the clicks of the past days being known."""
    categories = dataset.items["category_l1"].to_numpy()
    behaviour = TopCategories()
    for frame in blocks_in_time(dataset, {*wanted, *past}):
        item_row = _rows_of(dataset.items, "item_id", frame["item_id"], schema.ITEMS_FILE)
        known = (_clicks(frame) == 1) & frame["day"].isin(past).to_numpy()
        top = behaviour.extend(frame["user_id"], frame["timestamp"], categories[item_row], known)
        asked = frame["day"].isin(wanted).to_numpy()
        yield _join(dataset, frame[asked].reset_index(drop=True), top[asked])


def _clicks(frame: pd.DataFrame) -> np.ndarray:
    """int8 [n]: without a click column each row is a click."""
    if "click" not in frame:
        return np.ones(len(frame), dtype=np.int8)
    return np.array(frame["click"], dtype=np.int8)


def _events(frame: pd.DataFrame) -> np.ndarray:
    """int8 [n], `schema.EVENT_CODES`; `schema.UNKNOWN` without a column of events."""
    if "event_type" not in frame:
        return np.full(len(frame), schema.UNKNOWN, dtype=np.int8)
    codes = frame["event_type"].map(schema.EVENT_CODES).fillna(schema.UNKNOWN)
    found: np.ndarray = codes.to_numpy().astype(np.int8)
    return found


def _join(dataset: Dataset, frame: pd.DataFrame, top: Int64s) -> pd.DataFrame:
    user_row = _rows_of(dataset.users, "user_id", frame["user_id"], schema.USERS_FILE)
    item_row = _rows_of(dataset.items, "item_id", frame["item_id"], schema.ITEMS_FILE)
    columns = {
        "user_id": frame["user_id"].to_numpy(copy=True),
        "age": dataset.users["age"].to_numpy(np.float32)[user_row],
        "gender": dataset.users["gender"].to_numpy()[user_row],
        "top_category": top,
        schema.VISITOR: frame["user_id"].to_numpy(copy=True),
        **{name: frame[name].to_numpy(copy=True) for name in schema.CONTEXT_RAW},
        **{name: dataset.items[name].to_numpy()[item_row] for name in schema.ITEM_RAW},
        "click": _clicks(frame),
        schema.EVENT: _events(frame),
    }
    # Each array is new, and copying them into one block would take twice their memory.
    return pd.DataFrame(columns, index=frame.index, copy=False)


def _rows_of(table: pd.DataFrame, key: str, ids: pd.Series, file: str) -> Int64s:
    """Position of each id in a table's key column."""
    rows: Int64s = pd.Index(table[key]).get_indexer(ids).astype(np.int64)
    missing = rows < 0
    if missing.any():
        count, first = int(missing.sum()), ids.to_numpy()[missing][0]
        raise BadData(
            f"column {key}",
            f"{count} rows name one that {file} does not hold, {first} first",
            "Run `recsys data validate` and use the clean copy",
        )
    return rows
