"""Which rows train, which validate, and the sample that models are compared on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import BadData, BadUse

EVALUATION_ROWS: Final = 40_000
EVALUATION_SEED: Final = 0


def train_days(dataset: Dataset) -> list[int]:
    """Returns the days to train on, ascending: the split's, else those of `schema.TRAIN_DAYS`.

    Raises:
        BadData: The data set holds none of them.
    """
    return _present(dataset, dataset.split.get("train", schema.TRAIN_DAYS), "training")


def valid_days(dataset: Dataset) -> list[int]:
    """Returns the days to validate on, ascending: the split's, else those of `schema.VALID_DAYS`.

    Raises:
        BadData: The data set holds none of them.
    """
    return _present(dataset, dataset.split.get("valid", schema.VALID_DAYS), "validation")


def split_by_time(days: Iterable[int], train: Iterable[int]) -> dict[str, list[int]]:
    """Splits a data set's days so that what validates comes after all that trains.

    Args:
        days: All that the data set holds.
        train: Those to train on.

    Returns:
        `train`, and under `valid` the days that follow, as many as `schema.VALID_DAYS` at most.

    Raises:
        BadUse: A training day is not there, or none comes after them.
    """
    days, wanted = sorted(set(days)), sorted(set(train))
    if absent := [day for day in wanted if day not in days]:
        raise BadUse(f"day {absent[0]}", "the data set does not hold it", f"It holds {days[0]}-{days[-1]}")
    later = [day for day in days if not wanted or day > wanted[-1]]
    if not wanted or not later:
        raise BadUse(
            f"days {wanted}",
            "no day comes after them to validate on",
            "Leave the newest day out, or wait a day",
        )
    return {"train": wanted, "valid": later[: len(schema.VALID_DAYS)]}


def with_split(dataset: Dataset, train: Iterable[int]) -> Dataset:
    """The same data set, split after these days; see `split_by_time`."""
    return dataclasses.replace(dataset, split=split_by_time(dataset.days, train))


def write_split(dataset: Dataset, train: Iterable[int]) -> None:
    """Writes the split beside a clean copy, so that everyone who opens it takes the same days.

    Args:
        dataset: The clean copy.
        train: See `split_by_time`.

    Raises:
        BadUse: As `split_by_time`.
    """
    text = json.dumps(split_by_time(dataset.days, train))
    Path(dataset.path, schema.SPLIT_FILE).write_text(text + "\n", encoding="utf-8")


def positives(frame: pd.DataFrame) -> pd.DataFrame:
    """Keeps the clicked rows, re-indexed from 0.

    Args:
        frame: Interactions; without a `click` column each row is a click.

    Returns:
        The rows that were clicked, in the same order.
    """
    if "click" in frame:
        frame = frame[frame["click"] == 1]
    return frame.reset_index(drop=True)


def evaluation_sample(
    dataset: Dataset, rows: int = EVALUATION_ROWS, seed: int = EVALUATION_SEED
) -> pd.DataFrame:
    """Draws the rows on which retrieval and the whole chain are measured.

    Args:
        dataset: The data set.
        rows: How many at most.
        seed: Of the draw.

    Returns:
        `pd.concat(validation days, ignore_index=True).sample(rows, random_state=seed)` of the
        clicked rows, indexed as drawn; all of them, shuffled, where there are fewer.

    Raises:
        BadData: The data set holds no validation day, or nobody clicked in them.
    """
    frame = positives(dataset.rows(valid_days(dataset)))
    if frame.empty:
        raise BadData(str(dataset.path), "no row of the validation days was clicked", "Check column click.")
    return frame.sample(min(rows, len(frame)), random_state=seed)


def _present(dataset: Dataset, days: Sequence[int], purpose: str) -> list[int]:
    present = [day for day in days if day in dataset.days]
    if not present:
        raise BadData(
            str(dataset.path),
            f"it holds no {purpose} day",
            f"Add one of day_{days[0]:02d}.parquet to day_{days[-1]:02d}.parquet.",
        )
    return present
