"""Writes a synthetic shop: a data set whose best possible score is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pandas as pd

from recsys import schema
from recsys.data import tables
from recsys.data.staging import staged
from recsys.data.synthetic import utility as preferences
from recsys.data.synthetic.catalogue import L1_NAMES, L2_NAMES, make_catalogue
from recsys.data.synthetic.events import FIRST_TIMESTAMP, Day, Simulator, rows_per_day
from recsys.data.synthetic.oracle import OracleScores, merge, oracle_metrics, score_day
from recsys.data.synthetic.personas import make_shoppers
from recsys.errors import BadUse

DEFAULT_USERS: Final = 5_000
DEFAULT_ITEMS: Final = 700
DEFAULT_ROWS: Final = 120_000
DEFAULT_DAYS: Final = 14

Progress = Callable[[str, float], None]


def generate(
    out_dir: str | Path,
    *,
    users: int = DEFAULT_USERS,
    items: int = DEFAULT_ITEMS,
    rows: int = DEFAULT_ROWS,
    days: int = DEFAULT_DAYS,
    seed: int = 7,
    images: bool = True,
    progress: Progress | None = None,
) -> None:
    """Writes a synthetic shop in the schema of any data set; the same arguments, the same bytes.

    The folder appears whole or not at all; days are drawn and written one by one. `meta.json` names
    the codes and holds what an oracle that knows every utility scores on the last day
    (`oracle_last_day`) and on the validation days (`oracle_valid_days`), and what it scores without
    knowing what a session is about (`…_no_intent`).

    Args:
        out_dir: A new or empty folder.
        users: How many users, ids 1 to `users`.
        items: How many products, ids 1 to `items`.
        rows: Interactions in all, clicked and not.
        days: Days, from 2025-08-01 on.
        seed: Of everything that is drawn.
        images: Whether to draw `item_images/<item_id>.jpg`.
        progress: Told what is being made and the share that is done, 0 to 1.

    Raises:
        BadUse: There is no user or day, there are less than two items or than two rows a day, or
            `out_dir` is not an empty folder.
        RecsysError: The folder cannot be written.
    """
    out_dir = Path(out_dir)
    _check_use(users=users, items=items, days=days, rows=rows)
    report = progress or (lambda what, share: None)
    with staged(out_dir) as folder:
        _write(folder, report, users=users, items=items, rows=rows, days=days, seed=seed, images=images)


def _check_use(*, users: int, items: int, days: int, rows: int) -> None:
    for name, value, least in (("users", users, 1), ("items", items, 2), ("days", days, 1)):
        if value < least:
            raise BadUse(name, f"{value} is too few", f"Give at least {least}.")
    if rows < 2 * days:
        raise BadUse("rows", f"{rows} rows do not fill {days} days", "Give at least 2 a day.")


def _write(
    out_dir: Path,
    report: Progress,
    *,
    users: int,
    items: int,
    rows: int,
    days: int,
    seed: int,
    images: bool,
) -> None:
    report("catalogue", 0.0)
    catalogue = make_catalogue(items, seed)
    shoppers = make_shoppers(users, seed)
    tables.write_table(catalogue.frame, out_dir / schema.ITEMS_FILE)
    tables.write_table(catalogue.descriptions, out_dir / schema.DESCRIPTIONS_FILE)
    tables.write_table(shoppers.frame, out_dir / schema.USERS_FILE)
    utility = preferences.Utility(catalogue, shoppers, days, seed)
    simulator = Simulator(catalogue, shoppers, utility, seed)
    share_of_days = 0.4 if images else 0.99
    scores = _Oracle(utility, days, seed)
    for day, count in enumerate(rows_per_day(rows, days)):
        name = schema.DAY_FILE.format(day=day)
        report(name, share_of_days * day / days)
        made = simulator.day(day, count)
        tables.write_table(_plain(made.frame), out_dir / name)
        scores.add(day, made)
    if images:
        from recsys.data.synthetic.images import draw_images

        draw_images(
            catalogue,
            out_dir / schema.IMAGES_DIR,
            lambda share: report(schema.IMAGES_DIR, share_of_days + (1 - share_of_days) * share),
        )
    meta = _meta(users, items, rows, seed) | scores.metrics()
    (out_dir / schema.META_FILE).write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
    report("done", 1.0)


class _Oracle:
    """Collects the oracle's scores as the days go by."""

    def __init__(self, utility: preferences.Utility, days: int, seed: int) -> None:
        self._utility = utility
        self._seed = seed
        self._parts = {"last_day": {days - 1}, "valid_days": set(schema.VALID_DAYS)}
        self._scores: dict[str, list[OracleScores]] = {}

    def add(self, day: int, made: Day) -> None:
        parts = [part for part, days in self._parts.items() if day in days]
        if not parts:
            return
        for suffix, intent in (("", True), ("_no_intent", False)):
            scores = score_day(self._utility, made, self._seed, intent)
            for part in parts:
                self._scores.setdefault(f"oracle_{part}{suffix}", []).append(scores)

    def metrics(self) -> dict[str, dict[str, float]]:
        return {name: oracle_metrics(merge(scores)) for name, scores in sorted(self._scores.items())}


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose texts are texts: what every reader of parquet understands."""
    return frame.assign(event_type=frame["event_type"].astype(object))


def _meta(users: int, items: int, rows: int, seed: int) -> dict[str, Any]:
    return {
        "users": users,
        "rows": rows,
        "items": items,
        "seed": seed,
        "first_timestamp": FIRST_TIMESTAMP,
        "device_type": {str(code): name for name, code in schema.DEVICES.items()},
        "gender": {"0": "F", "1": "M"},
        "item_gender": {"0": "F", "1": "M", "2": "any"},
        "category_l1": L1_NAMES,
        "category_l2": L2_NAMES,
        "rising_category": preferences.RISING_DEPARTMENT,
        "hot_late_category": preferences.HOT_LATE_DEPARTMENT,
        "fad_category": preferences.FAD_KIND,
    }
