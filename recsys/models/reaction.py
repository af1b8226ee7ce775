"""How an exported query tower answers to clicks: in a visit to a new category, and on unusual days."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import evaluation_sample, positives, train_days, valid_days
from recsys.features.arrays import ArrayWorkflow
from recsys.features.behavior import top_category
from recsys.features.recents import ClickLog, RecentClicks
from recsys.features.training import feature_rows
from recsys.models import intervals, metrics
from recsys.models.segments import Segmentation
from recsys.release.vectors import item_vectors
from recsys.serving.onnx_model import OnnxModel
from recsys.settings import Settings

_SEED: Final = 0
_VISITS: Final = 2_000
_AGES_S: Final = (60, 120, 180)
"""How long ago the three clicks of a visit were, newest first."""

_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400
_SHOWN: Final = 10
_ROWS_AT_ONCE: Final = 1_024
_QUERY_INPUTS: Final = (
    *schema.USER_FEATURES,
    *schema.CONTEXT_FEATURES,
    *schema.RECENT_FEATURES,
    "timestamp",
)


@dataclass(frozen=True)
class Rows:
    """Clicks of the validation days, and what was clicked before them.

    Attributes:
        rows: Their features.
        item: Item index of each, int64 [rows].
        history: All clicks up to the last validation day.
        log: The same, by user.
        category: category_l1 of each item, int64 [items].
        days: Whether a row's user clicks mostly in another category on its day than in training.
    """

    rows: pd.DataFrame
    item: np.ndarray
    history: pd.DataFrame
    log: ClickLog
    category: np.ndarray
    days: Segmentation

    @classmethod
    def of(cls, dataset: Dataset, settings: Settings) -> Rows:
        """Draws the rows that releases are measured on."""
        history = dataset.interactions(day for day in dataset.days if day <= valid_days(dataset)[-1])
        rows = feature_rows(dataset, evaluation_sample(dataset, settings.evaluation.rows, _SEED), history)
        ids = dataset.items["item_id"]
        category = dataset.items["category_l1"].to_numpy(np.int64)
        clicks = positives(history)
        clicks = clicks.assign(category=category[pd.Index(ids).get_indexer(clicks["item_id"])])
        log = ClickLog.build(clicks, ids.to_numpy(), settings.recents.kept_s)
        item = pd.Index(ids).get_indexer(rows["item_id"]).astype(np.int64)
        return cls(rows, item, clicks, log, category, _unusual_days(rows, clicks, train_days(dataset)))


def _unusual_days(rows: pd.DataFrame, clicks: pd.DataFrame, train: list[int]) -> Segmentation:
    """Whether the category that a user clicks most on the row's day is that of their training days."""
    past = clicks[clicks["day"].isin(train)]
    usual = _favourites([past["user_id"]], past["category"])
    day = clicks["timestamp"] // _DAY_S
    own = _favourites([clicks["user_id"], day], clicks["category"])
    now = own.reindex(pd.MultiIndex.from_arrays([rows["user_id"], rows["timestamp"] // _DAY_S])).to_numpy()
    before = usual.reindex(rows["user_id"]).to_numpy()
    code = np.where(np.isnan(before), 2, np.where(now == before, 0, 1))
    return Segmentation(("day like the past", "day unlike the past", "no past"), code.astype(np.int64))


def _favourites(keys: list[pd.Series], category: pd.Series) -> pd.Series:
    """The category clicked most by each key, the smaller of equals."""
    names = [f"key{number}" for number in range(len(keys))]
    frame = pd.DataFrame({name: key.to_numpy() for name, key in zip(names, keys, strict=True)})
    counts = frame.assign(category=category.to_numpy()).value_counts().rename("clicks").reset_index()
    best = counts.sort_values(["clicks", "category"], ascending=[False, True]).drop_duplicates(names)
    return best.set_index(names if len(names) > 1 else names[0])["category"].astype(float)


@dataclass(frozen=True)
class Tower:
    """Both towers as they were exported, and the workflows before them.

    Attributes:
        query: The query tower.
        user: Transforms user features.
        context: Transforms device and time.
        vectors: Item embeddings, float32 [items, 64].
    """

    query: OnnxModel
    user: ArrayWorkflow
    context: ArrayWorkflow
    vectors: np.ndarray

    @classmethod
    def load(cls, towers: Path, workflows: Path, vectors: np.ndarray) -> Tower:
        """Reads `query_tower.onnx` and the fitted workflows.

        Raises:
            BadData: A file is missing or damaged.
        """
        return cls(
            OnnxModel(towers / schema.QUERY_TOWER_ONNX, "user_embedding", _QUERY_INPUTS),
            ArrayWorkflow.load(workflows, schema.USER_WORKFLOW),
            ArrayWorkflow.load(workflows, schema.CONTEXT_WORKFLOW),
            vectors,
        )

    @classmethod
    def of_release(cls, release_dir: Path, items: pd.DataFrame) -> Tower:
        """A release's towers.

        Args:
            release_dir: Its artefacts.
            items: The catalogue in the release's order, columns of `schema.ITEM_RAW`.

        Raises:
            BadData: A file is missing or damaged.
        """
        vectors = item_vectors(
            release_dir / schema.CANDIDATE_TOWER_ONNX,
            ArrayWorkflow.load(release_dir, schema.ITEM_WORKFLOW),
            items,
            np.load(release_dir / schema.IMAGE_EMBEDDINGS_FILE),
            np.load(release_dir / schema.TEXT_EMBEDDINGS_FILE),
        )
        return cls.load(release_dir, release_dir, vectors)

    def scores(self, rows: pd.DataFrame, recents: RecentClicks) -> np.ndarray:
        """Inner products with all items, float32 [rows, items]."""
        raw = {name: rows[name].to_numpy() for name in (*schema.USER_RAW, *schema.CONTEXT_RAW)}
        features = {**self.user.transform(raw), **self.context.transform(raw)}
        inputs = {name: values.reshape(-1, 1) for name, values in features.items()}
        inputs |= recents.tensors() | {"timestamp": rows["timestamp"].to_numpy(np.int64)[:, None]}
        found: np.ndarray = self.query.run(inputs) @ self.vectors.T
        return found


def measure(tower: Tower, asked: Rows) -> dict[str, Any]:
    """Measures retrieval by exact search.

    Args:
        tower: The towers.
        asked: The rows.

    Returns:
        {"rows", "all": {metric: value}, "interval": {metric: [low, high]}, "days": {label: {"rows", "hit@10",
        "interval"}}, "visit": {"visits", "before", "after": {"share", "interval"}}}. A visit is three clicks
        in a category that the user had never clicked; "share" is that category's among the ten best items,
        the three left out; NaN where everybody has clicked everything.
    """
    users = asked.rows["user_id"].to_numpy()
    recents = asked.log.recent(users, asked.rows["timestamp"])
    rank = np.zeros(len(users), np.int64)
    for part in _parts(len(users)):
        scores = tower.scores(asked.rows.iloc[part], _part(recents, part))
        rank[part] = metrics.ranks(scores, asked.item[part])
    ends, _ = intervals.of_ranks({"all": rank}, users)
    days = {}
    for label, mask in asked.days.rows().items():
        low, high = intervals.of_means((rank[mask] <= _SHOWN).astype(np.float64)[:, None], users[mask])
        hit = metrics.hit(rank[mask], _SHOWN)
        days[label] = {"rows": int(mask.sum()), "hit@10": hit, "interval": [float(low[0]), float(high[0])]}
    return {
        "rows": len(users),
        "all": metrics.summary(rank),
        "interval": ends["all"],
        "days": days,
        "visit": _visit(tower, asked),
    }


def _parts(rows: int) -> list[np.ndarray]:
    return [np.arange(at, min(at + _ROWS_AT_ONCE, rows)) for at in range(0, rows, _ROWS_AT_ONCE)]


def _part(recents: RecentClicks, part: np.ndarray) -> RecentClicks:
    return RecentClicks(recents.items[part], recents.ages[part])


def _visit(tower: Tower, asked: Rows) -> dict[str, Any]:
    rows = asked.rows.drop_duplicates("user_id").head(_VISITS)
    wanted, clicked = _new_categories(asked, rows)
    rows, wanted, clicked = rows[wanted >= 0], wanted[wanted >= 0], clicked[wanted >= 0]
    before = asked.log.recent(rows["user_id"], rows["timestamp"])
    after = _with_clicks(before, clicked)
    later = rows.assign(top_category=_top_categories(asked, rows, wanted))
    found: dict[str, Any] = {"visits": len(rows)}
    for name, own, recents in (("before", rows, before), ("after", later, after)):
        share = np.full(len(rows), np.nan)
        for part in _parts(len(rows)):
            scores = tower.scores(own.iloc[part], _part(recents, part))
            share[part] = _share(scores, clicked[part], asked.category, wanted[part])
        low, high = intervals.of_means(share[:, None], rows["user_id"].to_numpy())
        mean = float(share.mean()) if len(share) else float("nan")
        found[name] = {"share": mean, "interval": [float(low[0]), float(high[0])]}
    return found


def _new_categories(asked: Rows, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """A category new to each row's user, -1 where there is none, and three items of it, [rows, 3]."""
    rng = np.random.default_rng(_SEED)
    low, high = asked.log.before(rows["user_id"], rows["timestamp"])
    large, sizes = np.unique(asked.category, return_counts=True)
    large = large[sizes > len(_AGES_S)]
    wanted = np.full(len(rows), -1)
    clicked = np.zeros((len(rows), len(_AGES_S)), np.int64)
    for row, (begin, end) in enumerate(zip(low, high, strict=True)):
        fresh = np.setdiff1d(large, asked.category[asked.log.item[begin:end]])
        if len(fresh):
            wanted[row] = rng.choice(fresh)
            members = np.flatnonzero(asked.category == wanted[row])
            clicked[row] = rng.choice(members, len(_AGES_S), replace=False)
    return wanted, clicked


def _with_clicks(before: RecentClicks, clicked: np.ndarray) -> RecentClicks:
    """The newest clicks after three more."""
    ages = np.broadcast_to(np.array(_AGES_S) / _HOUR_S, clicked.shape)
    width = before.items.shape[1]
    return RecentClicks(
        np.concatenate([clicked, before.items], axis=1)[:, :width],
        np.concatenate([ages, before.ages], axis=1)[:, :width].astype(np.float32),
    )


def _top_categories(asked: Rows, rows: pd.DataFrame, wanted: np.ndarray) -> np.ndarray:
    """Top category of each row's user after the visit's clicks, as the worker would have it."""
    users, now = rows["user_id"].to_numpy(), rows["timestamp"].to_numpy()
    past = asked.history[asked.history["user_id"].isin(users)]
    count = len(past) + len(rows) * len(_AGES_S)
    return top_category(
        np.concatenate([past["user_id"].to_numpy(), *[users] * len(_AGES_S), users]),
        np.concatenate([past["timestamp"].to_numpy(), *(now - age for age in _AGES_S), now]),
        np.concatenate([past["category"].to_numpy(), *[wanted] * len(_AGES_S), wanted]),
        clicked=np.arange(count + len(rows)) < count,
    )[count:]


def _share(scores: np.ndarray, clicked: np.ndarray, category: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Share of the wanted category among the ten best items that were not just clicked, float64 [rows]."""
    scores = scores.copy()
    np.put_along_axis(scores, clicked, -np.inf, axis=1)
    best = np.argpartition(-scores, _SHOWN - 1, axis=1)[:, :_SHOWN]
    found: np.ndarray = (category[best] == wanted[:, None]).mean(axis=1)
    return found
