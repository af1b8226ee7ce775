"""A shop of rows drawn at random: made in seconds, for time and memory where quality does not matter."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data import tables
from recsys.data.synthetic.catalogue import make_catalogue
from recsys.data.synthetic.events import DAY_S, FIRST_TIMESTAMP, rows_per_day

_POPULARITY: Final = 1.3
"""Exponent of the items' Zipf distribution."""


def write_random_shop(
    folder: Path, *, users: int, items: int, rows: int, days: int = 14, seed: int = 0
) -> None:
    """Writes a data set of the schema's form; half of its rows are clicks, and nobody has a taste.

    Args:
        folder: Is made.
        users: Ids 1 to `users`.
        items: How many.
        rows: Interactions in all.
        days: From 2025-08-01 on.
        seed: Of the draw.
    """
    folder.mkdir(parents=True)
    draw = np.random.default_rng(seed)
    catalogue = make_catalogue(items, seed)
    tables.write_table(catalogue.frame, folder / schema.ITEMS_FILE)
    tables.write_table(catalogue.descriptions, folder / schema.DESCRIPTIONS_FILE)
    people = {
        "user_id": np.arange(1, users + 1),
        "age": draw.integers(18, 80, users),
        "gender": draw.integers(0, 2, users),
    }
    tables.write_table(pd.DataFrame(people), folder / schema.USERS_FILE)
    ids = catalogue.frame["item_id"].to_numpy()
    for day, count in enumerate(rows_per_day(rows, days)):
        click = draw.integers(0, 2, count).astype(np.int8)
        moment = np.sort(draw.integers(0, DAY_S, count))
        frame = {
            "user_id": draw.integers(1, users + 1, count),
            "item_id": ids[draw.zipf(_POPULARITY, count) % items],
            "timestamp": FIRST_TIMESTAMP + day * DAY_S + moment,
            "device_type": draw.integers(0, len(schema.DEVICES), count),
            "event_type": np.where(click == 1, "view", "impression"),
            "click": click,
        }
        tables.write_table(pd.DataFrame(frame), folder / schema.DAY_FILE.format(day=day))
