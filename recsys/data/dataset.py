"""A data set: a folder of parquet tables and product images."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data import tables
from recsys.errors import BadData, BadUse

_DAY_NAME = re.compile(r"day_(\d{2,})\.parquet")


@dataclass(frozen=True)
class Dataset:
    """A shop's catalogue, users and days of interactions.

    Attributes:
        path: The folder.
        items: One row an item, columns and dtypes of `schema.ITEM_COLUMNS` and, where the file
            has them, `schema.ITEM_OPTIONAL_COLUMNS`.
        descriptions: `schema.DESCRIPTION_COLUMNS`.
        users: `schema.USER_COLUMNS`.
        days: The days there is a file for, ascending.
        meta: What `meta.json` says, empty where there is none.
        split: The days to train on and to validate on, under `train` and `valid`; empty for those of
            `recsys.schema`.
    """

    path: Path
    items: pd.DataFrame = field(repr=False)
    descriptions: pd.DataFrame = field(repr=False)
    users: pd.DataFrame = field(repr=False)
    days: list[int]
    meta: dict[str, Any] = field(repr=False)
    split: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: str | Path) -> Dataset:
        """Reads the catalogue and users and checks the days' columns; the days stay on disk.

        Args:
            path: The data set's folder.

        Returns:
            The data set.

        Raises:
            BadData: The folder or a file is absent or unreadable, a column is missing, of the wrong
                kind, or holds a value that does not fit, or an item or user is there twice.
        """
        path = Path(path)
        if not path.is_dir():
            raise BadData(str(path), "there is no such folder", "Give the folder of a data set.")
        items = tables.read_table(path / schema.ITEMS_FILE, tables.ITEMS)
        descriptions = tables.read_table(path / schema.DESCRIPTIONS_FILE, tables.DESCRIPTIONS)
        users = tables.read_table(path / schema.USERS_FILE, tables.USERS)
        for name, frame, key in (
            (schema.ITEMS_FILE, items, "item_id"),
            (schema.DESCRIPTIONS_FILE, descriptions, "item_id"),
            (schema.USERS_FILE, users, "user_id"),
        ):
            _check_unique(path / name, frame, key)
        days = list_days(path)
        for day in days:
            tables.check_schema(day_path(path, day), tables.DAY)
        split = read_json(path / schema.SPLIT_FILE)
        return cls(path, items, descriptions, users, days, read_meta(path), split)

    def interactions(self, days: Iterable[int]) -> pd.DataFrame:
        """Reads days of interactions.

        Args:
            days: Which days; the order does not matter.

        Returns:
            A frame in `schema.DAY_COLUMNS` dtypes, with `day` (int64) and, where every one of the
            files has them, `event_type` and `click`; sorted by timestamp, ties in the files' order.

        Raises:
            BadUse: There is no such day.
            BadData: A file is unreadable or holds a value that does not fit.
        """
        frame = self.rows(days)
        order = np.argsort(frame["timestamp"].to_numpy(), kind="stable")
        if np.array_equal(order, np.arange(len(order))):
            return frame
        return frame.iloc[order].reset_index(drop=True)

    def rows(self, days: Iterable[int]) -> pd.DataFrame:
        """Reads days as `interactions` does, but leaves the rows in the files' order."""
        frames = []
        for day in sorted(set(days)):
            if day not in self.days:
                raise BadUse(
                    f"day {day}", f"{self.path} does not hold it", f"It holds days {_spans(self.days)}."
                )
            frame = tables.read_table(day_path(self.path, day), tables.DAY)
            frame["day"] = np.int64(day)
            frames.append(frame)
        if not frames:
            raise BadUse("days", "none was given", f"{self.path} holds days {_spans(self.days)}.")
        return pd.concat(frames, ignore_index=True, join="inner")

    def image_path(self, item_id: int) -> Path | None:
        """Returns an item's image file, None where there is none."""
        path = self.path / schema.IMAGES_DIR / f"{int(item_id)}.jpg"
        return path if path.is_file() else None

    def fingerprint(self) -> str:
        """Hashes what the tables and images say, whatever the files' names, times or compression.

        Returns:
            Hex sha256 over every column the schema knows, in its dtype and row order, day by day,
            and over the bytes of the items' images. `meta.json` is not part of it.

        Raises:
            BadData: A day's file is unreadable or holds a value that does not fit.
        """
        digest = hashlib.sha256()
        for frame in (self.items, self.descriptions, self.users):
            _hash_frame(digest, frame)
        for day in self.days:
            _hash_frame(digest, self.rows([day]))
        for item_id in np.sort(self.items["item_id"].to_numpy()):
            image = self.image_path(item_id)
            if image is not None:
                digest.update(f"image {item_id} {image.stat().st_size}\n".encode())
                digest.update(image.read_bytes())
        return digest.hexdigest()


def day_path(path: Path, day: int) -> Path:
    """Returns the file of a day in the data set at `path`."""
    return path / schema.DAY_FILE.format(day=day)


def list_days(path: Path) -> list[int]:
    """Lists the days that a folder has a file for.

    Args:
        path: The data set's folder.

    Returns:
        Day numbers, ascending.

    Raises:
        BadData: There is not one.
    """
    days = sorted(int(match[1]) for file in path.iterdir() if (match := _DAY_NAME.fullmatch(file.name)))
    if not days:
        raise BadData(str(path), "it holds no day_NN.parquet", "Add at least one day of interactions.")
    return days


def read_meta(path: Path) -> dict[str, Any]:
    """Reads a data set's `meta.json`.

    Args:
        path: The data set's folder.

    Returns:
        What it says, empty where there is none.

    Raises:
        BadData: It is not a JSON object.
    """
    return read_json(path / schema.META_FILE)


def read_json(file: Path) -> dict[str, Any]:
    """Reads a file's JSON object.

    Args:
        file: Its path.

    Returns:
        The object, empty where there is no such file.

    Raises:
        BadData: It is not a JSON object.
    """
    if not file.is_file():
        return {}
    try:
        meta = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise BadData(str(file), f"not JSON ({error})", "Repair or remove it.") from error
    if not isinstance(meta, dict):
        raise BadData(str(file), "not a JSON object", "Repair or remove it.")
    return meta


def _check_unique(path: Path, frame: pd.DataFrame, key: str) -> None:
    again = frame[key].duplicated().to_numpy()
    if again.any():
        row = int(np.argmax(again))
        raise BadData(
            f"{path} column {key} row {row}",
            f"{key} {frame[key].iloc[row]} is there twice",
            "Keep one row of it.",
        )


def _spans(days: list[int]) -> str:
    return f"{days[0]}-{days[-1]}" if days == list(range(days[0], days[-1] + 1)) else str(days)


def _hash_frame(digest: Any, frame: pd.DataFrame) -> None:
    for name in frame.columns:
        values = frame[name].to_numpy()
        digest.update(f"{name} {values.dtype} {len(values)}\n".encode())
        if values.dtype.kind == "O":
            digest.update(json.dumps(values.tolist(), ensure_ascii=False).encode())
        else:
            digest.update(np.ascontiguousarray(values).data)
