"""All baselines on the rows that a release is measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from recsys.data.dataset import Dataset
from recsys.errors import BadUse
from recsys.models import metrics
from recsys.models.baselines.als import AlternatingLeastSquares
from recsys.models.baselines.baseline import Baseline
from recsys.models.baselines.bpr import BayesianPersonalisedRanking
from recsys.models.baselines.ease import Ease
from recsys.models.baselines.item_knn import ItemNeighbours
from recsys.models.baselines.popular_in_category import PopularInCategory
from recsys.models.baselines.popularity import Popularity
from recsys.models.seen_before import SeenBefore

STANDARD: Final = ("popularity", "popular_in_category", "als")
"""Measured with every release: they cost a few seconds."""
ALL: Final = (*STANDARD, "item_knn", "ease", "bpr")

_SCORES_AT_ONCE: Final = 10_000_000
_SHOWN: Final = 10
_MOST_SQUARE: Final = 12_000
"""Largest catalogue for baselines that hold an item-by-item matrix: 12,000 items are 1.2 GB of float64."""
_SQUARE: Final = ("item_knn", "ease")


@dataclass(frozen=True)
class Clicks:
    """What baselines are trained on.

    Attributes:
        user_id: The shop's user id of each click, int64 [clicks].
        item: Item index of each click, int64 [clicks].
        category: category_l1 of each item, int64 [items].
    """

    user_id: np.ndarray
    item: np.ndarray
    category: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset, clicks: pd.DataFrame) -> Clicks:
        """Those of a data set; item indexes are rows of `items.parquet`, as in a release."""
        item = pd.Index(dataset.items["item_id"]).get_indexer(clicks["item_id"]).astype(np.int64)
        return cls(clicks["user_id"].to_numpy(), item, dataset.items["category_l1"].to_numpy())

    @property
    def items(self) -> int:
        """Size of the catalogue."""
        return len(self.category)


@dataclass(frozen=True)
class Compared:
    """What a baseline did.

    Attributes:
        everything: Rank of each row's click among all items, int64 [rows].
        unseen: Its rank among those that the user had not clicked before.
        shown: Its ten best items, [rows, 10].
    """

    everything: np.ndarray
    unseen: np.ndarray
    shown: np.ndarray


def names(wanted: str, items: int) -> tuple[tuple[str, ...], dict[str, str]]:
    """Which baselines are meant, and why some of them are left out.

    Args:
        wanted: "standard", "all", or names with commas between them.
        items: Size of the catalogue.

    Returns:
        Names in the order of `ALL`, and {name: reason} of those left out.

    Raises:
        BadUse: There is no such baseline.
    """
    groups = {"standard": STANDARD, "all": ALL}
    asked = groups.get(wanted) or tuple(name.strip() for name in wanted.split(",") if name.strip())
    if unknown := sorted(set(asked) - set(ALL)):
        raise BadUse(f"baseline {unknown[0]}", "there is none", f"Use standard, all or {', '.join(ALL)}")
    reason = f"holds a matrix of {items:,} × {items:,} items"
    omitted = {name: reason for name in asked if name in _SQUARE and items > _MOST_SQUARE}
    return tuple(name for name in ALL if name in asked and name not in omitted), omitted


def compare(  # noqa: PLR0917 - what is trained on, what is asked, and how
    chosen: Iterable[str],
    clicks: Clicks,
    rows: pd.DataFrame,
    item: np.ndarray,
    seen: SeenBefore,
    seed: int,
    progress: Callable[[str, float | None], None],
) -> dict[str, Compared]:
    """Trains baselines and ranks each row's click by them.

    Args:
        chosen: Names of `ALL`.
        clicks: To train on.
        rows: Columns of `schema.USER_RAW` and `schema.CONTEXT_RAW`.
        item: Item index of each row's click, int64 [rows].
        seen: What users had clicked before.
        seed: Of what is drawn.
        progress: Told which one is measured.
    """
    chosen = tuple(chosen)
    found = {}
    for number, name in enumerate(chosen):
        progress(f"baseline {name}", number / len(chosen))
        found[name] = _measure(make(name, clicks, seed), rows, item, seen)
    return found


def make(name: str, clicks: Clicks, seed: int) -> Baseline:
    """Trains one baseline.

    Raises:
        KeyError: There is none of that name.
    """
    user, item, items = clicks.user_id, clicks.item, clicks.items
    makers: dict[str, Callable[[], Baseline]] = {
        "popularity": lambda: Popularity(item, items),
        "popular_in_category": lambda: PopularInCategory(item, clicks.category),
        "als": lambda: AlternatingLeastSquares(user, item, items, seed),
        "item_knn": lambda: ItemNeighbours(user, item, items),
        "ease": lambda: Ease(user, item, items),
        "bpr": lambda: BayesianPersonalisedRanking(user, item, items, seed),
    }
    return makers[name]()


def _measure(baseline: Baseline, rows: pd.DataFrame, item: np.ndarray, seen: SeenBefore) -> Compared:
    items = baseline.scores(rows.iloc[:1]).shape[1]
    step = max(_SCORES_AT_ONCE // items, 1)
    parts = []
    for at in range(0, len(rows), step):
        part, own = rows.iloc[at : at + step], item[at : at + step]
        scores = baseline.scores(part)
        rank = metrics.ranks(scores, own)
        row, before = seen.pairs(part["user_id"].to_numpy(), part["timestamp"].to_numpy())
        above = scores[row, before] > scores[np.arange(len(part)), own][row]
        fewer = np.bincount(row[above], minlength=len(part))
        best = np.argpartition(-scores, min(_SHOWN, items) - 1, axis=1)[:, :_SHOWN]
        parts.append((rank, rank - fewer, best))
    everything, unseen, shown = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Compared(everything, unseen, shown)
