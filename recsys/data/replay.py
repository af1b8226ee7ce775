"""What a daily fine-tuning learns from: new days whole, and a sample of older ones against forgetting."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from recsys.data.dataset import Dataset


def new_and_replayed(
    dataset: Dataset,
    new_days: Iterable[int],
    older_days: Iterable[int],
    *,
    share: float,
    half_life_days: float,
    seed: int,
) -> pd.DataFrame:
    """Takes all rows of the new days and some of the older ones.

    Args:
        dataset: A validated data set.
        new_days: Days to learn.
        older_days: Days that were learned before; those that the data set no longer holds are left out.
        share: Rows of older days for each new row, as far as there are so many.
        half_life_days: Age at which an older row is half as likely to be taken as one of the newest moment.
        seed: Of the draw.

    Returns:
        As `Dataset.interactions`, in order of time, with `replayed` (bool).
    """
    new = dataset.interactions(new_days)
    older = sorted(set(older_days) & set(dataset.days))
    if older:
        sample = replay_sample(dataset.interactions(older), round(share * len(new)), half_life_days, seed)
        new = pd.concat([sample.assign(replayed=True), new.assign(replayed=False)], join="inner")
    else:
        new = new.assign(replayed=False)
    return new.sort_values("timestamp", kind="stable", ignore_index=True)


def replay_sample(rows: pd.DataFrame, count: int, half_life_days: float, seed: int) -> pd.DataFrame:
    """Draws rows without replacement, newer ones with greater probability.

    The `count` greatest of log(u) / w are kept, u uniform and w = 2^(-age / half-life): weighted sampling
    without replacement (Efraimidis and Spirakis, 2006).

    Args:
        rows: With `timestamp`, unix seconds.
        count: How many; all where there are fewer.
        half_life_days: See `new_and_replayed`.
        seed: Of the draw.

    Returns:
        The drawn rows, in the order of `rows`.
    """
    if count >= len(rows):
        return rows
    timestamp = rows["timestamp"].to_numpy()
    age_days = (timestamp.max() - timestamp) / 86_400
    # log(u) / w, turned over and as a logarithm: it stays finite however old a row is.
    exponential = np.random.default_rng(seed).exponential(size=len(rows))
    key = np.log(exponential) + age_days / half_life_days * np.log(2)
    taken = np.sort(np.argpartition(key, count)[:count])
    return rows.iloc[taken]
