"""Test rows with the candidates that the chain ranked best for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import evaluation_sample, valid_days
from recsys.errors import BadData
from recsys.features.popularity import PopularityLog
from recsys.features.recents import ClickLog
from recsys.features.training import feature_rows
from recsys.models.served import all_ranked
from recsys.serving.chain import Chain
from recsys.settings import Settings

_BATCH: Final = 64
_KEPT: Final = 100
_SEED: Final = 0


@dataclass(frozen=True)
class Pools:
    """Candidates, best first.

    Attributes:
        item: Item index of each row's click, int64 [rows].
        items: Item indexes, int64 [rows, K]; -1 for none.
        scores: The ranker's, float64 [rows, K]; -inf for none.
        retrieval: The index's, float64 [rows, K]; -inf for none.
        item_ids: The release's catalogue, int64 [items].
        categories: category_l1 of each item, int64 [items].
    """

    item: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    retrieval: np.ndarray
    item_ids: np.ndarray
    categories: np.ndarray

    @property
    def category(self) -> np.ndarray:
        """category_l1 of each candidate, int64 [rows, K]."""
        found: np.ndarray = self.categories[self.items]
        return found

    def take(self, rows: slice) -> Pools:
        """Some of the rows."""
        parts = {name: getattr(self, name)[rows] for name in ("item", "items", "scores", "retrieval")}
        return replace(self, **parts)


def draw(
    release_dir: Path,
    dataset: Dataset,
    settings: Settings,
    count: int,
    progress: Callable[[str, float | None], None] = lambda *_: None,
) -> Pools:
    """Runs the chain on rows of the evaluation's sample and keeps the 100 best of each.

    Args:
        release_dir: A release's artefacts.
        dataset: Trained on its training days.
        settings: Widths of serving.
        count: Rows, at most.
        progress: Told what is being done, and which share of it is.
    """
    history = dataset.interactions(day for day in dataset.days if day <= valid_days(dataset)[-1])
    rows = feature_rows(dataset, evaluation_sample(dataset, count, _SEED), history)
    return ranked(release_dir, rows, history, settings, progress)


def ranked(
    release_dir: Path,
    rows: pd.DataFrame,
    history: pd.DataFrame,
    settings: Settings,
    progress: Callable[[str, float | None], None] = lambda *_: None,
) -> Pools:
    """Runs the chain on rows and keeps the 100 best of each.

    Args:
        release_dir: A release's artefacts.
        rows: Columns of `schema.USER_RAW`, `schema.CONTEXT_RAW` and item_id.
        history: Interactions that users' newest clicks are taken from.
        settings: Widths of serving.
        progress: Told what is being done, and which share of it is.

    Raises:
        BadData: A row's item is not the release's.
    """
    ids = np.load(release_dir / schema.ITEM_IDS_FILE)
    with np.load(release_dir / schema.ITEM_FEATURES_FILE) as values:
        categories = values["category_l1"]
    item = pd.Index(ids).get_indexer(rows["item_id"]).astype(np.int64)
    if (item < 0).any():
        unknown = rows["item_id"].to_numpy()[item < 0][0]
        raise BadData(f"item {unknown}", f"{release_dir} does not hold it", "Use the data it was trained on")
    log = ClickLog.build(history, ids, settings.recents.kept_s)
    popularity = PopularityLog.build(history, ids, settings.popularity.half_life_s)
    chain = Chain(release_dir, all_ranked(settings))

    def ask(at: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        part = rows.iloc[at : at + _BATCH]
        request = {name: part[name].to_numpy() for name in ("user_id", *schema.CONTEXT_RAW)}
        known = {name: part[name].to_numpy() for name in ("age", "gender", "top_category")}
        known |= log.recent(part["user_id"], part["timestamp"]).tensors()
        time = part["timestamp"].to_numpy()
        made = {schema.ITEM_POPULARITY: lambda tensors: popularity.before(tensors["items"], time)}
        return _best(chain.run(request, known, made))

    found = []
    starts = range(0, len(rows), _BATCH)
    try:
        with ThreadPoolExecutor(os.cpu_count()) as workers:
            for number, batch in enumerate(workers.map(ask, starts)):
                found.append(batch)
                progress("candidates", (number + 1) / len(starts))
    finally:
        chain.close()
    items, scores, retrieval = (np.concatenate(column) for column in zip(*found, strict=True))
    return Pools(item, items, scores, retrieval, ids, categories)


def _best(tensors: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    items = tensors["items"]
    there = items != schema.NO_ITEM
    scores = np.where(there, tensors["click_scores"].astype(np.float64), -np.inf)
    retrieval = np.where(there, tensors["retrieval_scores"].astype(np.float64), -np.inf)
    first = np.argsort(-scores, axis=1, kind="stable")[:, :_KEPT]
    kept = (np.take_along_axis(part, first, axis=1) for part in (items, scores, retrieval))
    best, score, found = kept
    return best, score, found
