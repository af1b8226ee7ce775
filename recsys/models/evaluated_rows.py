"""The rows that a release is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import evaluation_sample, train_days, valid_days
from recsys.data.timeline import past_clicks
from recsys.errors import BadData
from recsys.features.popularity import PopularityLog
from recsys.features.training import feature_rows
from recsys.models.seen_before import SeenBefore
from recsys.settings import Settings

_SEED: Final = 0


@dataclass(frozen=True)
class EvaluatedRows:
    """The rows that a release is measured on.

    Attributes:
        rows: Clicks of the validation days with their features.
        item: Item index of each, int64 [rows].
        item_ids: The release's catalogue, int64 [items].
        history: Clicks up to the last validation day.
        clicks: Clicks of the training days.
        seen: What users had clicked before.
        repeated: Whether the user had clicked the row's item before, bool [rows].
        settings: Sample sizes and widths.
    """

    rows: pd.DataFrame
    item: np.ndarray
    item_ids: np.ndarray
    history: pd.DataFrame
    clicks: pd.DataFrame
    seen: SeenBefore
    repeated: np.ndarray
    settings: Settings

    @classmethod
    def of(cls, release_dir: Path, dataset: Dataset, settings: Settings) -> EvaluatedRows:
        """Draws the sample and computes the features of each row's time.

        Raises:
            BadData: The release does not hold an item of the rows, or there are no validation days.
        """
        sample = evaluation_sample(dataset, settings.evaluation.rows, _SEED)
        history = past_clicks(dataset, [day for day in dataset.days if day <= valid_days(dataset)[-1]])
        rows = feature_rows(dataset, sample, history)
        ids = np.load(release_dir / schema.ITEM_IDS_FILE)
        item = _item_indexes(release_dir, ids, rows)
        seen = SeenBefore(
            history["user_id"].to_numpy(),
            pd.Index(ids).get_indexer(history["item_id"]).astype(np.int64),
            history["timestamp"].to_numpy(),
            len(ids),
        )
        repeated = seen.contains(rows["user_id"].to_numpy(), rows["timestamp"].to_numpy(), item[:, None])
        clicks = past_clicks(dataset, train_days(dataset))
        return cls(rows, item, ids, history, clicks, seen, repeated[:, 0], settings)

    @property
    def items(self) -> int:
        """Size of the catalogue."""
        return len(self.item_ids)

    @cached_property
    def popularity(self) -> PopularityLog:
        """How popular items were at any moment."""
        return PopularityLog.build(self.history, self.item_ids, self.settings.popularity.half_life_s)

    @property
    def users(self) -> np.ndarray:
        """The shop's user id of each row, int64 [rows]."""
        found: np.ndarray = self.rows["user_id"].to_numpy()
        return found


def _item_indexes(release_dir: Path, ids: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    found: np.ndarray = pd.Index(ids).get_indexer(rows["item_id"]).astype(np.int64)
    if (found < 0).any():
        raise BadData(
            str(release_dir),
            f"it does not hold item {rows['item_id'].to_numpy()[found < 0][0]} of the data set",
            "Evaluate a release on the data set that it was trained on",
        )
    return found


def hidden(rows: pd.DataFrame, mean_age: float) -> pd.DataFrame:
    """The rows as nobody's, the way serving hides an unknown user."""
    unknown = dict.fromkeys(("user_id", "gender", "top_category"), schema.UNKNOWN)
    return rows.assign(**unknown, age=np.float32(mean_age))
