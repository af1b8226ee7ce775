"""What makes a row bad: ranges, references, duplicates and the order of days."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.tables import Converted
from recsys.errors import BadData

MAX_AGE: Final = 120
LATEST_TIMESTAMP: Final = 10_000_000_000
"""Unix seconds of the year 2286; the same number of milliseconds is April 1970."""

Columns = Mapping[str, Converted]


@dataclass
class Marks:
    """Which rows of a table are bad; the first reason found for a row is the one that counts.

    Attributes:
        rows: How many rows the table has.
        reasons: The reasons found, in the order of the checks.
        codes: int16 [rows], 0 for a good row, else 1 + the place of its reason in `reasons`.
    """

    rows: int
    reasons: list[str] = field(default_factory=list)
    codes: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.codes = np.zeros(self.rows, dtype=np.int16)

    @property
    def good(self) -> np.ndarray:
        """Bool [rows], the rows that no check has marked."""
        return np.asarray(self.codes == 0)

    def mark(self, bad: np.ndarray, reason: str) -> None:
        """Marks the rows of `bad` (bool [rows]) that are still good."""
        fresh = bad & self.good
        if fresh.any():
            self.reasons.append(reason)
            self.codes[fresh] = len(self.reasons)

    def counts(self) -> dict[str, int]:
        """Returns how many rows were marked with each reason."""
        found = np.bincount(self.codes, minlength=len(self.reasons) + 1)
        return {reason: int(found[code]) for code, reason in enumerate(self.reasons, start=1)}


def check_items(columns: Columns, file: str) -> Marks:
    """Checks a catalogue.

    Args:
        columns: As read from the file.
        file: Its name, for the error.

    Returns:
        The bad rows.

    Raises:
        BadData: Two good rows with one item id say different things: the catalogue is ambiguous.
    """
    marks = _start(columns)
    marks.mark(columns["item_id"].values < 0, "item_id is negative; -1 stands for an unknown item")
    marks.mark(columns["price"].values < 0, "price is negative")
    for name in ("category_l1", "category_l2"):
        marks.mark(columns[name].values < 0, f"{name} is negative; -1 stands for an unknown category")
    marks.mark(columns["item_gender"].values < schema.UNKNOWN, "item_gender is below -1")
    if "current_stock" in columns:
        marks.mark(columns["current_stock"].values < schema.UNKNOWN, "current_stock is below -1")
    marks.mark(_repeats(columns, marks, list(columns)), "the same row is there already")
    again = _repeats(columns, marks, ["item_id"])
    if again.any():
        row = int(np.argmax(again))
        item = columns["item_id"].values[row]
        raise BadData(
            f"{file} column item_id row {row}",
            f"item {item} is there twice with different values",
            "Keep the row that is right.",
        )
    return marks


def check_descriptions(columns: Columns, items: np.ndarray) -> Marks:
    """Checks descriptions against the good items' ids (int64 [n])."""
    marks = _start(columns)
    marks.mark(~np.isin(columns["item_id"].values, items), "item_id is not in items.parquet")
    texts = columns["product_description"].values
    marks.mark(np.array([not text.strip() for text in texts], dtype=bool), "product_description is empty")
    marks.mark(_repeats(columns, marks, ["item_id"]), "the item has a description already")
    return marks


def check_users(columns: Columns) -> Marks:
    """Checks the table of users."""
    marks = _start(columns)
    marks.mark(columns["user_id"].values < 0, "user_id is negative; -1 stands for an unknown user")
    age = columns["age"].values
    marks.mark((age < 0) | (age > MAX_AGE), f"age is outside 0-{MAX_AGE} years")
    marks.mark(columns["gender"].values < schema.UNKNOWN, "gender is below -1")
    marks.mark(_repeats(columns, marks, ["user_id"]), "the user is there already; the first row is kept")
    return marks


def check_day(columns: Columns, users: np.ndarray, items: np.ndarray, limits: tuple[int, int]) -> Marks:
    """Checks a day of interactions.

    Args:
        columns: As read from the file.
        users: int64, the good users' ids.
        items: int64, the good items' ids.
        limits: Earliest and latest timestamp of the day, both allowed; see `day_limits`.

    Returns:
        The bad rows.
    """
    marks = _start(columns)
    user, item, time = (columns[name].values for name in ("user_id", "item_id", "timestamp"))
    marks.mark(user < 0, "user_id is negative; -1 stands for an unknown user")
    marks.mark(item < 0, "item_id is negative; -1 stands for an unknown item")
    marks.mark(time < 0, "timestamp is negative")
    marks.mark(time >= LATEST_TIMESTAMP, "timestamp is after the year 2286: milliseconds, not seconds?")
    marks.mark((time < limits[0]) | (time > limits[1]), "timestamp belongs to another day's file")
    devices = np.array([schema.UNKNOWN, *schema.DEVICES.values()])
    marks.mark(~np.isin(columns["device_type"].values, devices), "device_type is not -1, 0, 1 or 2")
    if "click" in columns:
        marks.mark(~np.isin(columns["click"].values, [0, 1]), "click is not 0 or 1")
    marks.mark(~np.isin(user, users), "user_id is not in users.parquet")
    marks.mark(~np.isin(item, items), "item_id is not in items.parquet")
    marks.mark(_repeats(columns, marks, list(columns)), "the same event is there already")
    return marks


def check_timestamp_unit(timestamps: np.ndarray, file: str) -> None:
    """Refuses a day whose timestamps are mostly not seconds.

    Args:
        timestamps: int64 [n].
        file: The day's file, for the error.

    Raises:
        BadData: More than half of them are after the year 2286.
    """
    if 2 * np.count_nonzero(timestamps >= LATEST_TIMESTAMP) > len(timestamps):
        raise BadData(
            f"{file} column timestamp",
            f"not unix seconds (the first is {timestamps[0]}: milliseconds or finer)",
            "Convert it to seconds.",
        )


def day_limits(timestamps: Mapping[str, np.ndarray]) -> dict[str, tuple[int, int]]:
    """Finds between which timestamps each day's events must lie.

    A day ends where the next begins and begins where the one before ended. The shop's time zone
    is not known, so both are read from the data: the 1 % earliest and latest events of a day, and
    at least one of each, may be strays and are left out of account.

    Args:
        timestamps: File name to int64 [n] unix seconds, one entry a day, in the order of days.

    Returns:
        File name to (earliest, latest) allowed, both included.

    Raises:
        BadData: A day overlaps the one before beyond strays, or comes before it.
    """
    spans = {}
    for file, values in timestamps.items():
        stray = min(max(1, len(values) // 100), (len(values) - 1) // 2)
        ordered = np.sort(values)
        spans[file] = (int(ordered[stray]), int(ordered[-1 - stray]))
    files = list(spans)
    for before, after in itertools.pairwise(files):
        if spans[before][1] > spans[after][0]:
            raise BadData(
                f"{after} column timestamp",
                f"its events begin before those of {before} end",
                "Number the day files in the order of time, one day each.",
            )
    return {
        file: (
            spans[files[place - 1]][1] if place > 0 else 0,
            spans[files[place + 1]][0] if place + 1 < len(files) else LATEST_TIMESTAMP,
        )
        for place, file in enumerate(files)
    }


def _start(columns: Columns) -> Marks:
    marks = Marks(len(next(iter(columns.values())).values))
    for name, column in columns.items():
        marks.mark(column.bad, f"{name}: {column.reason}")
    return marks


def _repeats(columns: Columns, marks: Marks, names: list[str]) -> np.ndarray:
    """Bool [rows], good rows that equal an earlier good row in the named columns."""
    repeats = np.zeros(marks.rows, dtype=bool)
    rows = np.flatnonzero(marks.good)
    frame = pd.DataFrame({name: columns[name].values[rows] for name in names}, copy=False)
    repeats[rows] = frame.duplicated().to_numpy()
    return repeats
