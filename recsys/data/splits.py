"""Which rows train, which validate, and the sample that models are compared on."""

from __future__ import annotations

from typing import Final

import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import BadData

EVALUATION_ROWS: Final = 40_000
EVALUATION_SEED: Final = 0


def train_days(dataset: Dataset) -> list[int]:
    """Returns the days of `schema.TRAIN_DAYS` that the data set holds, ascending.

    Raises:
        BadData: It holds none of them.
    """
    return _present(dataset, schema.TRAIN_DAYS, "training")


def valid_days(dataset: Dataset) -> list[int]:
    """Returns the days of `schema.VALID_DAYS` that the data set holds, ascending.

    Raises:
        BadData: It holds none of them.
    """
    return _present(dataset, schema.VALID_DAYS, "validation")


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


def _present(dataset: Dataset, days: range, purpose: str) -> list[int]:
    present = [day for day in days if day in dataset.days]
    if not present:
        raise BadData(
            str(dataset.path),
            f"it holds no {purpose} day",
            f"Add one of day_{days[0]:02d}.parquet to day_{days[-1]:02d}.parquet.",
        )
    return present
