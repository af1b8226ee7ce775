"""Interactions in the order of time, a block of about a day at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.data.dataset import Dataset, day_path
from recsys.data.splits import positives


def blocks_in_time(dataset: Dataset, days: Iterable[int]) -> Iterator[pd.DataFrame]:
    """Reads days of interactions so that memory holds about one of them.

    Files of days may overlap a little: a session that goes on after midnight. What is not before all that the
    later files hold waits for its turn.

    Args:
        dataset: Where the days are.
        days: Which; the order does not matter.

    Yields:
        Frames as of `Dataset.interactions`, which together are equal to what it gives for all of these;
        rows are later than all rows of earlier blocks.

    Raises:
        BadUse: There is no such day.
        BadData: A file is unreadable or holds a value that does not fit.
    """
    wanted = sorted(set(days))
    if not wanted or not set(wanted) <= set(dataset.days):
        dataset.rows(wanted)  # says what is wrong
    paths = [day_path(dataset.path, day) for day in wanted]
    columns = set.intersection(*({"day", *pq.read_schema(path).names} for path in paths))
    begins = [_begin(path) for path in paths]
    waiting: list[pd.DataFrame] = []
    for place, day in enumerate(wanted):
        frame = dataset.rows([day])
        waiting.append(frame[[name for name in frame if name in columns]])
        rows = pd.concat(waiting, ignore_index=True)
        ready = rows["timestamp"].to_numpy() < min(begins[place + 1 :], default=np.inf)
        waiting = [rows[~ready]]
        yield _in_order(rows[ready])


def past_clicks(dataset: Dataset, days: Iterable[int]) -> pd.DataFrame:
    """What is looked back on from any moment: the clicks of some days, in the order of time.

    Args:
        dataset: Where the days are.
        days: Which; memory holds one of them beside the result.

    Returns:
        user_id, item_id, timestamp (int64), 24 bytes a click.

    Raises:
        BadUse: There is no such day.
        BadData: A file is unreadable or holds a value that does not fit.
    """
    columns = ["user_id", "item_id", "timestamp"]
    clicks = [positives(block)[columns] for block in blocks_in_time(dataset, days)]
    return pd.concat(clicks, ignore_index=True)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    order = np.argsort(rows["timestamp"].to_numpy(), kind="stable")
    return rows.iloc[order].reset_index(drop=True)


def _begin(path: Path) -> float:
    """The earliest time in a day's file."""
    earliest = pc.min(pq.read_table(path, columns=["timestamp"])["timestamp"]).as_py()
    return -np.inf if earliest is None else float(earliest)
