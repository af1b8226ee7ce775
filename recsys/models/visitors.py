"""What visitors whom nobody knows get: before their first click, and after their first few."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from recsys.data.dataset import Dataset
from recsys.data.splits import positives, valid_days
from recsys.features.behavior import top_category
from recsys.features.recents import ClickLog, RecentClicks
from recsys.features.training import default_age
from recsys.models import intervals, metrics
from recsys.models.baselines.popularity import Popularity
from recsys.models.evaluated_rows import EvaluatedRows, hidden
from recsys.models.served import serve
from recsys.schema import NO_ITEM, RECENT_CLICKS

_ROWS: Final = 2_000
"""Rows of each kind, at most: the half-width of a hit@10's interval is then about two points."""

_SHARE: Final = 5
"""Of this many anonymous rows, one is asked for again as each kind of visitor."""

_CLICKS: Final = (1, 2, 3)
_DAY_H: Final = 24.0
_HOUR_S: Final = 3_600
_SHOWN: Final = 10


@dataclass(frozen=True)
class Visits:
    """Clicks of people whom the release does not know.

    Attributes:
        rows: Their features, as serving has them.
        item: Item index of each row's click, int64 [rows].
        user: Who it really was, int64 [rows].
        recents: What they had clicked before.
    """

    rows: pd.DataFrame
    item: np.ndarray
    user: np.ndarray
    recents: RecentClicks


def visits(test: EvaluatedRows, dataset: Dataset, log: ClickLog) -> Iterator[tuple[str, Visits]]:
    """The test rows as if their users had come today for the first time.

    Of what a user had really clicked before a row the visitor has only the newest 1, 2 or 3 items, as long
    ago as they were, or all of the last 24 hours. Top category is what the worker makes of these clicks.

    Args:
        test: The rows; the first ones of each kind are taken.
        dataset: Gives the mean age and the items' categories.
        log: All clicks.

    Yields:
        Name and rows, "no click" first. A row whose user had fewer clicks is left out.
    """
    found = log.recent(test.rows["user_id"], test.rows["timestamp"])
    there = found.items != NO_ITEM
    counts = there.sum(axis=1)
    yield "no click", _visits(test, dataset, np.ones(len(test.rows), bool), np.zeros_like(there), found)
    for clicks in _CLICKS:
        kept = there & (np.arange(RECENT_CLICKS) < clicks)
        yield f"{clicks} click{'s' * (clicks > 1)}", _visits(test, dataset, counts >= clicks, kept, found)
    today = there & (found.ages < _DAY_H)
    yield "clicks of 24 hours", _visits(test, dataset, today.any(axis=1), today, found)


def _visits(
    test: EvaluatedRows, dataset: Dataset, meant: np.ndarray, kept: np.ndarray, found: RecentClicks
) -> Visits:
    most = min(_ROWS, max(test.settings.evaluation.anonymous_rows // _SHARE, 1))
    row = np.flatnonzero(meant)[:most]
    # What is kept are the newest clicks, so they stay at the front.
    items = np.where(kept, found.items, NO_ITEM)[row]
    ages = np.where(kept, found.ages, np.float32(0))[row]
    recents = RecentClicks(items, ages)
    rows = test.rows.iloc[row]
    category = dataset.items.set_index("item_id")["category_l1"].reindex(test.item_ids).to_numpy()
    top = _top_categories(recents, rows["timestamp"].to_numpy(), category)
    nobody = hidden(rows, default_age(dataset)).assign(top_category=top)
    return Visits(nobody, test.item[row], test.users[row], recents)


def _top_categories(recents: RecentClicks, now: np.ndarray, category: np.ndarray) -> np.ndarray:
    """What the worker would have made of each row's clicks alone, int64 [rows]."""
    row, place = np.nonzero(recents.items != NO_ITEM)
    clicked = now[row] - np.rint(recents.ages[row, place].astype(np.float64) * _HOUR_S).astype(np.int64)
    asked = np.arange(len(now))
    return top_category(
        np.concatenate([row, asked]),
        np.concatenate([clicked, now]),
        np.concatenate([category[recents.items[row, place]], np.zeros(len(now), np.int64)]),
        clicked=np.arange(len(row) + len(now)) < len(row),
    )[len(row) :]


def measure(
    release_dir: Path,
    dataset: Dataset,
    test: EvaluatedRows,
    progress: Callable[[str, float | None], None] = lambda *_: None,
) -> dict[str, dict[str, Any]]:
    """Asks the served chain for each kind of visitor.

    Args:
        release_dir: A release's artefacts.
        dataset: Trained on its training days.
        test: The rows.
        progress: Told what is being measured.

    Returns:
        {kind: {"rows", "chain", "retrieval", "popularity": metrics on the same rows, "interval": {"hit@10",
        "ndcg@10"} of the chain, "over_popularity": ratio of the two hit@10}}; kinds without rows are left
        out.
    """
    log = ClickLog.build(test.history, test.item_ids, test.settings.recents.kept_s)
    index = pd.Index(test.item_ids)
    popularity = Popularity(index.get_indexer(test.clicks["item_id"]), test.items)
    popular_at = test.popularity
    found = {}
    for kind, asked in visits(test, dataset, log):
        if not len(asked.item):
            continue
        progress(f"visitors, {kind}", None)
        lists = serve(
            release_dir, asked.rows, asked.item, test.settings, recents=asked.recents, popularity=popular_at
        ).everything
        ends, _ = intervals.of_ranks({"chain": lists.chain}, asked.user)
        popular = metrics.summary(metrics.ranks(popularity.scores(asked.rows), asked.item))
        own = lists.summary(test.items)
        ratio = own["chain"]["hit@10"] / popular["hit@10"] if popular["hit@10"] else None
        found[kind] = {
            "rows": len(asked.item),
            **own,
            "popularity": popular,
            "interval": {metric: ends["chain"][metric] for metric in ("hit@10", "ndcg@10")},
            "over_popularity": ratio,
        }
    return found


def bound(dataset: Dataset) -> dict[str, Any]:
    """What nobody can exceed who sees device, hour and day alone.

    The ten items clicked most in each device, hour and day of the validation days, chosen by looking at these
    very clicks, and measured on them. No order that is a function of these three finds more of them.

    Returns:
        {"hit@10": upper bound, "apart": the same lists, chosen on one half of the clicks and measured on the
        other, "cells": int, "rows": int}.
    """
    days = valid_days(dataset)
    clicks = positives(dataset.interactions(days))
    item = pd.Index(dataset.items["item_id"]).get_indexer(clicks["item_id"])
    cell, known = pd.factorize(
        pd.MultiIndex.from_arrays([clicks["device_type"], clicks["timestamp"] // _HOUR_S])
    )
    half = np.random.default_rng(0).random(len(item)) < 0.5
    size = (len(known), len(dataset.items))
    everything, apart = np.ones(len(item), bool), (half, ~half)
    return {
        "hit@10": _best(cell, item, size, everything, everything),
        "apart": _best(cell, item, size, *apart),
        "cells": len(known),
        "rows": len(item),
    }


def _best(
    cell: np.ndarray, item: np.ndarray, size: tuple[int, int], chosen_on: np.ndarray, asked: np.ndarray
) -> float:
    counts = np.zeros(size, np.int32)
    np.add.at(counts, (cell[chosen_on], item[chosen_on]), 1)
    best = np.argsort(-counts, axis=1, kind="stable")[:, :_SHOWN]
    return float((best[cell[asked]] == item[asked, None]).any(axis=1).mean()) if asked.any() else float("nan")
