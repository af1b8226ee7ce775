"""Kinds of rows that a mean over all of them hides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset

HEAD_SHARE: Final = 0.5
"""The most popular items that together have this share of the training clicks are the head."""

_LIGHT, _HEAVY = 1 / 3, 2 / 3
_USUAL: Final = 0.2
"""Share of a user's training clicks from which on a category is usual for them."""


@dataclass(frozen=True)
class Segmentation:
    """Rows, each in one of some segments.

    Attributes:
        labels: Names of the segments.
        code: Which of them each row is in, int64 [rows].
    """

    labels: tuple[str, ...]
    code: np.ndarray

    def rows(self) -> dict[str, np.ndarray]:
        """Mask of each segment that has rows, bool [rows]."""
        found = {label: self.code == at for at, label in enumerate(self.labels)}
        return {label: mask for label, mask in found.items() if mask.any()}


def head_items(clicks: np.ndarray) -> np.ndarray:
    """Which items are the head: the fewest that together have `HEAD_SHARE` of the clicks.

    Args:
        clicks: Training clicks of each item, [n].

    Returns:
        bool [n].
    """
    order = np.argsort(-clicks, kind="stable")
    before = np.cumsum(clicks[order]) - clicks[order]
    head = np.zeros(len(clicks), dtype=bool)
    head[order] = before < HEAD_SHARE * clicks.sum()
    return head & (clicks > 0)


def segment(
    dataset: Dataset, rows: pd.DataFrame, item: np.ndarray, clicks: pd.DataFrame, repeated: np.ndarray
) -> dict[str, Segmentation]:
    """Sorts test rows by who clicked, how, and what.

    Args:
        dataset: Names the categories, where it does.
        rows: Columns user_id, device_type and category_l1.
        item: Item index of each row's click, int64 [rows].
        clicks: The training clicks: columns user_id and item_id.
        repeated: Whether the user had clicked the item before, bool [rows].

    Returns:
        By name: `user` (new: no click in training; light, regular and heavy: thirds of the users by
        their clicks), `device`, `item` (head, tail or never clicked in training), `repeat`, `taste` (the
        category_l1 is usual for the user, rare, or none of their training clicks was in it) and `category`.
    """
    index = pd.Index(dataset.items["item_id"])
    item_clicks = np.bincount(index.get_indexer(clicks["item_id"]), minlength=len(index))
    return {
        "user": _by_clicks(rows, clicks),
        "device": _by_device(rows["device_type"].to_numpy()),
        "item": _by_popularity(item, item_clicks),
        "repeat": Segmentation(("new to the user", "clicked before"), repeated.astype(np.int64)),
        "taste": _by_taste(dataset.items, index, rows, clicks),
        "category": _by_category(dataset.items, rows["category_l1"].to_numpy()),
    }


def _by_clicks(rows: pd.DataFrame, clicks: pd.DataFrame) -> Segmentation:
    count = clicks["user_id"].value_counts()
    own = count.reindex(rows["user_id"]).fillna(0).to_numpy()
    light, heavy = (count.quantile([_LIGHT, _HEAVY]).to_numpy()) if len(count) else (0.0, 0.0)
    code = np.select([own == 0, own <= light, own <= heavy], [0, 1, 2], 3)
    return Segmentation(("new", "light", "regular", "heavy"), code.astype(np.int64))


def _by_device(device: np.ndarray) -> Segmentation:
    names = ("unknown", *schema.DEVICES)
    places = {number: at + 1 for at, number in enumerate(schema.DEVICES.values())}
    return Segmentation(names, np.array([places.get(int(number), 0) for number in device], np.int64))


def _by_popularity(item: np.ndarray, clicks: np.ndarray) -> Segmentation:
    head = head_items(clicks)[item]
    code = np.where(head, 0, np.where(clicks[item] > 0, 1, 2))
    return Segmentation(("head", "tail", "new"), code.astype(np.int64))


def _by_taste(items: pd.DataFrame, index: pd.Index, rows: pd.DataFrame, clicks: pd.DataFrame) -> Segmentation:
    category = items["category_l1"].to_numpy()[index.get_indexer(clicks["item_id"])]
    pairs = pd.DataFrame({"user_id": clicks["user_id"].to_numpy(), "category_l1": category})
    share = pairs.value_counts() / pairs.groupby("user_id").size()
    asked = pd.MultiIndex.from_frame(rows[["user_id", "category_l1"]])
    own = share.reindex(asked).fillna(0.0).to_numpy()
    code = np.select([own == 0, own < _USUAL], [2, 1], 0)
    return Segmentation(("usual category", "rare category", "new category"), code.astype(np.int64))


def _by_category(items: pd.DataFrame, category: np.ndarray) -> Segmentation:
    known, code = np.unique(category, return_inverse=True)
    names: dict[Any, Any] = {}
    if "category_l1_name" in items:
        names = items.groupby("category_l1")["category_l1_name"].first().to_dict()
    labels = tuple(str(names.get(number) or f"category {number}") for number in known.tolist())
    return Segmentation(labels, code.astype(np.int64))
