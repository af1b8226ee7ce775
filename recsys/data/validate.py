"""Import of a data set: a clean copy, with what was bad set aside and counted."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from recsys import schema
from recsys.data import checks, tables
from recsys.data.dataset import day_path, list_days, read_meta
from recsys.data.quarantine import Quarantine
from recsys.data.staging import staged
from recsys.errors import BadData, BadUse

Progress = Callable[[str, float], None]
"""Told what is being worked on and the share that is done, 0 to 1."""


@dataclass(frozen=True)
class TableReport:
    """What became of one file.

    Attributes:
        rows: Rows in the file.
        kept: Rows in the clean copy.
        quarantined: Reason to number of rows set aside.
        ignored_columns: Columns that the schema does not know; they are not in the copy.
    """

    rows: int
    kept: int
    quarantined: dict[str, int] = field(default_factory=dict)
    ignored_columns: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ValidationReport:
    """What `validate` found; `validation.json` holds the same.

    Attributes:
        path: The clean copy.
        tables: File name to its report; `item_images` counts files.
        missing_days: Days between the first and the last without a file.
        items_without_description: Number of items.
        items_without_image: Number of items.
    """

    path: Path
    tables: dict[str, TableReport]
    missing_days: list[int]
    items_without_description: int
    items_without_image: int

    @property
    def quarantined(self) -> int:
        """Rows and images set aside in all."""
        return sum(sum(table.quarantined.values()) for table in self.tables.values())

    def as_dict(self) -> dict[str, Any]:
        """Returns the report as JSON types, without the path: it holds no trace of the machine."""
        found = asdict(self)
        del found["path"]
        return {"quarantined": self.quarantined, **found}


def validate(path: str | Path, out_dir: str | Path, progress: Progress | None = None) -> ValidationReport:
    """Checks a data set and writes a clean copy of it in the schema's dtypes.

    Bad rows go to `quarantine.parquet`, with the reason, and are counted in `validation.json`. The
    copy appears whole or not at all.

    Args:
        path: The data set's folder.
        out_dir: Where the copy goes: a new or empty folder, or an earlier copy, which is replaced.
        progress: Told how far it is.

    Returns:
        What was found.

    Raises:
        BadData: A file is absent, unreadable, lacks a column, holds no row or no good one, or
            cannot be understood (an item with two meanings, days out of order).
        BadUse: `out_dir` holds something else, or is the data set itself.
        RecsysError: The copy cannot be written.
    """
    path, out_dir = Path(path), Path(out_dir)
    if not path.is_dir():
        raise BadData(str(path), "there is no such folder", "Give the folder of a data set.")
    report = progress or (lambda what, share: None)
    if out_dir.resolve() == path.resolve():
        raise BadUse(
            str(out_dir), "the copy cannot replace the data set it is made from", "Give another folder."
        )
    with staged(out_dir, replaces=schema.VALIDATION_FILE) as staging:
        with Quarantine(staging / schema.QUARANTINE_FILE) as quarantine:
            found = _Import(path, staging, quarantine, report).run()
        result = ValidationReport(out_dir, **found)
        text = json.dumps(result.as_dict(), indent=1)
        (staging / schema.VALIDATION_FILE).write_text(text + "\n", encoding="utf-8")
    return result


class _Import:
    """One run of `validate`: reads file by file and keeps what the later files refer to."""

    def __init__(self, path: Path, out: Path, quarantine: Quarantine, progress: Progress) -> None:
        self._path = path
        self._out = out
        self._quarantine = quarantine
        self._progress = progress
        self._tables: dict[str, TableReport] = {}

    def run(self) -> dict[str, Any]:
        days = list_days(self._path)
        meta = read_meta(self._path)
        self._progress(schema.ITEMS_FILE, 0.0)
        columns = self._read(schema.ITEMS_FILE, tables.ITEMS)
        items = self._keep(
            schema.ITEMS_FILE, columns, checks.check_items(columns, self._name(schema.ITEMS_FILE))
        )
        columns = self._read(schema.DESCRIPTIONS_FILE, tables.DESCRIPTIONS, may_be_empty=True)
        item_ids = items["item_id"].to_numpy()
        marks = checks.check_descriptions(columns, item_ids)
        described = self._keep(schema.DESCRIPTIONS_FILE, columns, marks, may_be_empty=True)
        columns = self._read(schema.USERS_FILE, tables.USERS)
        users = self._keep(schema.USERS_FILE, columns, checks.check_users(columns))
        del columns
        self._days(days, users["user_id"].to_numpy(), item_ids)
        self._progress(schema.IMAGES_DIR, 0.95)
        images = self._images(item_ids)
        if meta:
            shutil.copyfile(self._path / schema.META_FILE, self._out / schema.META_FILE)
        self._progress("done", 1.0)
        return {
            "tables": self._tables,
            "missing_days": sorted(set(range(days[0], days[-1] + 1)) - set(days)),
            "items_without_description": len(items) - len(described),
            "items_without_image": len(items) - images,
        }

    def _days(self, days: list[int], users: np.ndarray, items: np.ndarray) -> None:
        timestamps = {}
        for day in days:
            name = day_path(self._path, day).name
            times = self._read(name, tables.DAY)["timestamp"]
            if times.bad.all():
                raise BadData(self._name(name), "no row has a timestamp", "Export the day again.")
            seconds = times.values[~times.bad]
            checks.check_timestamp_unit(seconds, self._name(name))
            plausible = seconds[(seconds >= 0) & (seconds < checks.LATEST_TIMESTAMP)]
            timestamps[self._name(name)] = plausible if len(plausible) else seconds
        limits = checks.day_limits(timestamps)
        for done, (file, limit) in enumerate(limits.items()):
            name = Path(file).name
            self._progress(name, 0.05 + 0.9 * done / len(limits))
            columns = self._read(name, tables.DAY)
            self._keep(name, columns, checks.check_day(columns, users, items, limit))

    def _read(
        self, name: str, table: tables.TableSchema, may_be_empty: bool = False
    ) -> dict[str, tables.Converted]:
        columns = tables.read_converted(self._path / name, table)
        if not may_be_empty and len(next(iter(columns.values())).values) == 0:
            raise BadData(self._name(name), "it holds no rows", "Remove it, or export it again.")
        return columns

    def _keep(
        self,
        name: str,
        columns: dict[str, tables.Converted],
        marks: checks.Marks,
        may_be_empty: bool = False,
    ) -> pd.DataFrame:
        """Writes a table's good rows and sets the others aside."""
        good = marks.good
        if not may_be_empty and not good.any():
            worst = max(marks.counts().items(), key=lambda count: count[1])[0]
            raise BadData(self._name(name), f"none of its {marks.rows} rows is good ({worst})", "Repair it.")
        frame = pd.DataFrame({column: values.values[good] for column, values in columns.items()}, copy=False)
        tables.write_table(frame, self._out / name)
        self._quarantine.add(name, columns, marks)
        known = set(columns)
        ignored = [column for column in pq.read_schema(self._path / name).names if column not in known]
        self._tables[name] = TableReport(marks.rows, len(frame), marks.counts(), ignored)
        return frame

    def _images(self, item_ids: np.ndarray) -> int:
        """Links or copies the items' images; returns how many are good."""
        source, target = self._path / schema.IMAGES_DIR, self._out / schema.IMAGES_DIR
        if not source.is_dir():
            return 0
        target.mkdir()
        bad = {}
        good = 0
        for item_id in item_ids.tolist():
            image = source / f"{item_id}.jpg"
            if not image.is_file():
                continue
            if _is_whole_jpeg(image):
                _link_or_copy(image, target / image.name)
                good += 1
            else:
                bad[item_id] = "not a whole JPEG file"
        self._quarantine.add_images(bad)
        counts = {"not a whole JPEG file": len(bad)} if bad else {}
        self._tables[schema.IMAGES_DIR] = TableReport(good + len(bad), good, counts)
        return good

    def _name(self, file: str) -> str:
        return str(self._path / file)


def _is_whole_jpeg(path: Path) -> bool:
    """A JPEG starts with a start-of-image marker and ends with an end-of-image marker (ITU-T T.81)."""
    data = path.read_bytes()
    return data.startswith(b"\xff\xd8\xff") and b"\xff\xd9" in data[-64:]


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
