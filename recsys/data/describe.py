"""A data set in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import positives

_TOP: Final = 10
_DEVICE_NAMES: Final = {code: name for name, code in schema.DEVICES.items()} | {schema.UNKNOWN: "unknown"}


def describe(dataset: Dataset) -> dict[str, Any]:
    """Counts what a data set holds, a day at a time.

    Args:
        dataset: The data set.

    Returns:
        JSON types: `items` and `users` (`count`, `active`: with at least one click, and what they
        are like), `interactions` (`rows`, `clicks`, `click_rate`, `first` and `last` in UTC,
        `devices`, `event_types`, `unknown_items` and `unknown_users`: rows whose id no table
        has), `popularity` (share of clicks on the most popular 1 % and 10 % of the items, and the
        Gini coefficient), `top_categories` by clicks, `days` (`day`, `rows`, `clicks`, `users`, `items`).

    Raises:
        BadData: A day's file is unreadable or holds a value that does not fit.
    """
    tally = _Tally(dataset)
    for day in dataset.days:
        tally.add(day, dataset.rows([day]))
    counts = tally.counts
    return {
        "path": str(dataset.path),
        "items": _items(dataset, tally.item_clicks),
        "users": _users(dataset, tally.user_clicks),
        "interactions": {
            **{name: counts[name] for name in ("rows", "clicks", "unknown_items", "unknown_users")},
            "click_rate": _number(counts["clicks"] / max(1, counts["rows"])),
            "first": _utc(min(tally.bounds)) if tally.bounds else None,
            "last": _utc(max(tally.bounds)) if tally.bounds else None,
            "devices": {_DEVICE_NAMES.get(code, str(code)): n for code, n in tally.devices.most_common()},
            "event_types": dict(tally.events.most_common()),
        },
        "popularity": _popularity(tally.item_clicks),
        "top_categories": _top_categories(dataset.items, tally.item_clicks),
        "days": tally.days,
    }


class _Tally:
    """Adds up days of interactions."""

    def __init__(self, dataset: Dataset) -> None:
        self._items = pd.Index(dataset.items["item_id"])
        self._users = pd.Index(dataset.users["user_id"])
        self.item_clicks = np.zeros(len(self._items), dtype=np.int64)
        self.user_clicks = np.zeros(len(self._users), dtype=np.int64)
        self.counts: Counter[str] = Counter()
        self.devices: Counter[int] = Counter()
        self.events: Counter[str] = Counter()
        self.days: list[dict[str, int]] = []
        self.bounds: list[int] = []

    def add(self, day: int, rows: pd.DataFrame) -> None:
        clicked = positives(rows)
        self.item_clicks += _count(self._items, clicked["item_id"])
        self.user_clicks += _count(self._users, clicked["user_id"])
        self.counts.update(
            rows=len(rows),
            clicks=len(clicked),
            unknown_items=int((self._items.get_indexer(rows["item_id"]) < 0).sum()),
            unknown_users=int((self._users.get_indexer(rows["user_id"]) < 0).sum()),
        )
        self.devices.update(rows["device_type"].value_counts().to_dict())
        if "event_type" in rows:
            self.events.update(rows["event_type"].value_counts().to_dict())
        if len(rows):
            self.bounds += [int(rows["timestamp"].min()), int(rows["timestamp"].max())]
        seen = {"users": int(rows["user_id"].nunique()), "items": int(rows["item_id"].nunique())}
        self.days.append({"day": day, "rows": len(rows), "clicks": len(clicked), **seen})


def _count(ids: pd.Index, values: Iterable[int]) -> np.ndarray:
    places = ids.get_indexer(values)
    return np.bincount(places[places >= 0], minlength=len(ids))


def _items(dataset: Dataset, clicks: np.ndarray) -> dict[str, Any]:
    frame = dataset.items
    images = sum(dataset.image_path(item_id) is not None for item_id in frame["item_id"])
    price = frame["price"]
    return {
        "count": len(frame),
        "active": int((clicks > 0).sum()),
        "categories_l1": int(frame["category_l1"].nunique()),
        "categories_l2": int(frame["category_l2"].nunique()),
        "with_description": int(frame["item_id"].isin(dataset.descriptions["item_id"]).sum()),
        "with_image": images,
        "price": {
            "min": _number(price.min()),
            "median": _number(price.median()),
            "max": _number(price.max()),
        },
    }


def _users(dataset: Dataset, clicks: np.ndarray) -> dict[str, Any]:
    frame = dataset.users
    active = clicks[clicks > 0]
    return {
        "count": len(frame),
        "active": len(active),
        "clicks_per_active_user": {
            "mean": _number(active.mean() if len(active) else 0),
            "median": _number(np.median(active) if len(active) else 0),
            "max": int(active.max(initial=0)),
        },
        "mean_age": _number(frame["age"].mean()),
        "genders": {str(code): int(n) for code, n in frame["gender"].value_counts().sort_index().items()},
    }


def _popularity(clicks: np.ndarray) -> dict[str, float]:
    """Concentration of clicks; the Gini coefficient is 0 when all items are alike and 1 when one has all."""
    ordered = np.sort(clicks)[::-1]
    total, n = max(1, int(ordered.sum())), len(ordered)
    share = {
        f"top_{percent}_percent": _number(ordered[: max(1, round(n * percent / 100))].sum() / total)
        for percent in (1, 10)
    }
    rank = np.arange(1, n + 1)
    gini = (n + 1 - 2 * (rank * ordered).sum() / total) / n if n and ordered.sum() else 0.0
    return {**share, "gini": _number(gini)}


def _top_categories(items: pd.DataFrame, clicks: np.ndarray) -> list[dict[str, Any]]:
    by = items["category_l1"].to_numpy()
    totals = pd.Series(clicks).groupby(by).sum().sort_values(ascending=False, kind="stable").head(_TOP)
    names = {}
    if "category_l1_name" in items:
        names = dict(zip(items["category_l1"], items["category_l1_name"], strict=True))
    total = max(1, int(clicks.sum()))
    return [
        {"category_l1": int(code), "name": names.get(code), "clicks": int(n), "share": _number(n / total)}
        for code, n in totals.items()
    ]


def _number(value: float) -> float:
    return round(float(value), 4)


def _utc(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat().replace("+00:00", "Z")
