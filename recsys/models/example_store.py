"""Examples of a file of training rows: transformed a part at a time, kept on disk, read by position."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.errors import BadData
from recsys.features.recents import ClickLog
from recsys.features.row_file import RowFile
from recsys.features.workflows import Workflows
from recsys.models.examples import Catalogue, Examples, newest

_LOG_COLUMNS: Final = ("user_id", "item_id", "timestamp")


@contextmanager
def clicked_examples(
    rows: pd.DataFrame | RowFile, catalogue: Catalogue, workflows: Workflows
) -> Iterator[Examples]:
    """The rows that were clicked, as examples.

    Those of a frame are in memory. Those of a file are memory-mapped arrays in a temporary folder, about a
    hundred bytes a row, of which a training holds in memory what it reads; beside them there are in memory
    the clicks that rows look back on, some thirty bytes a click.

    Args:
        rows: Raw training rows, in the order of time.
        catalogue: Where their items are.
        workflows: The fitted workflows.
    """
    if isinstance(rows, pd.DataFrame):
        yield Examples.build(_clicked(rows), catalogue, workflows)
        return
    with tempfile.TemporaryDirectory(prefix="recsys-examples-") as folder:
        count = rows.count("click", 1)
        parts = (
            Examples.build(_clicked(part), catalogue, workflows, ClickLog.empty()) for part in rows.frames()
        )
        stored = on_disk(parts, count, Path(folder))
        yield replace(stored, log=click_log(rows, catalogue))


def newest_examples(
    rows: pd.DataFrame | RowFile, most: int, catalogue: Catalogue, workflows: Workflows
) -> Examples:
    """The newest rows as examples, which look back on the clicks of all.

    Args:
        rows: Raw training rows, those of a file in the order of time.
        most: Rows, at most.
        catalogue: Where their items are.
        workflows: The fitted workflows.
    """
    if isinstance(rows, RowFile):
        return Examples.build(rows.newest(most), catalogue, workflows, click_log(rows, catalogue))
    return newest(Examples.build(rows, catalogue, workflows), most)


def click_log(rows: RowFile, catalogue: Catalogue) -> ClickLog:
    """The clicks of a file's rows, each under its visitor."""
    columns = [schema.VISITOR, *_LOG_COLUMNS[1:], "click"]
    parts = [_clicked(part).drop(columns="click") for part in rows.frames(columns)]
    clicks = pd.concat(parts, ignore_index=True).rename(columns={schema.VISITOR: "user_id"})
    return ClickLog.build(clicks, catalogue.item_ids)


def on_disk(parts: Iterable[Examples], count: int, folder: Path) -> Examples:
    """Writes examples one after the other into arrays on disk.

    Args:
        parts: The examples; they hold `count` rows together.
        count: Rows.
        folder: Gets a file for each column; must last as long as the result.

    Returns:
        The examples, their columns memory-mapped, without clicks to look back on.

    Raises:
        BadData: There is no part.
    """
    paths = (folder / f"{number}.npy" for number in itertools.count())

    def like(column: np.ndarray) -> np.ndarray:
        array: np.ndarray = np.lib.format.open_memmap(
            next(paths), "w+", column.dtype, (count, *column.shape[1:])
        )
        return array

    stored: Examples | None = None
    at = 0
    for part in parts:
        if stored is None:
            stored = part.mapped(like)
        for column, values in zip(stored.columns(), part.columns(), strict=True):
            column[at : at + len(part)] = values
        at += len(part)
    if stored is None:
        raise BadData("training rows", "there are none", "Give days that hold clicks")
    return stored


def _clicked(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["click"] == 1] if "click" in rows else rows
