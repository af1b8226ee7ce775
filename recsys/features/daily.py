"""Rows that a release learns new days from, with the features of their time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.masking import mask_cold_start
from recsys.data.replay import new_and_replayed
from recsys.errors import BadData
from recsys.features.arrays import ArrayWorkflow
from recsys.features.training import feature_rows
from recsys.settings import FinetuneSettings, TrainingSettings

_OUT_OF_VOCABULARY = 2


@dataclass(frozen=True)
class DailyRows:
    """What a fine-tuning learns from, and what of the new days it cannot.

    Attributes:
        frame: As `recsys.features.training.training_rows`, with `replayed` (bool); in order of time.
        counts: `rows` of the new days, `replayed` rows, `new_users` (and `new_user_rows`) that the release's
            vocabulary does not hold, so that they share the out-of-vocabulary code, and `new_items` (and
            `new_item_rows`) that its index does not hold, so that their rows are left out.
    """

    frame: pd.DataFrame
    counts: dict[str, int]


def daily_rows(
    dataset: Dataset,
    release_dir: Path,
    new_days: Sequence[int],
    older_days: Sequence[int],
    settings: FinetuneSettings,
) -> DailyRows:
    """Takes the new days and a replay sample, joined point-in-time, masked as in training.

    Args:
        dataset: A validated data set.
        release_dir: The release that learns.
        new_days: Days to learn.
        older_days: Days that it has learned.
        settings: How much is replayed.

    Raises:
        BadData: The release keeps no recipe, or holds none of the items.
    """
    training = training_recipe(release_dir)
    taken = new_and_replayed(
        dataset,
        new_days,
        older_days,
        share=settings.replay_share,
        half_life_days=settings.replay_half_life_days,
        seed=training.seed,
    )
    known = taken["item_id"].isin(np.load(release_dir / schema.ITEM_IDS_FILE)).to_numpy()
    if not known.any():
        raise BadData(
            str(release_dir), "it holds none of the items of these days", "Give the release's own data"
        )
    history = dataset.interactions(day for day in dataset.days if day <= max(new_days))
    frame = feature_rows(dataset, taken[known], history)
    mean_age = json.loads((release_dir / schema.DEFAULTS_FILE).read_text())["mean_age"]
    frame = mask_cold_start(frame, mean_age, training.seed, training)
    counts = _counts(taken, known, release_dir)
    return DailyRows(frame.assign(replayed=taken["replayed"].to_numpy()[known]), counts)


def training_recipe(release_dir: Path) -> TrainingSettings:
    """The settings that a release was trained with.

    Raises:
        BadData: It keeps none, as releases of older versions do.
    """
    path = release_dir / schema.RECIPE_FILE
    if not path.is_file():
        raise BadData(str(path), "the release keeps nothing to start from", "Train it fully once more")
    return TrainingSettings.model_validate_json(path.read_bytes())


def _counts(taken: pd.DataFrame, known_item: np.ndarray, release_dir: Path) -> dict[str, int]:
    new = ~taken["replayed"].to_numpy()
    vocabulary = ArrayWorkflow.load(release_dir, schema.USER_WORKFLOW)
    columns = {name: taken["user_id"].to_numpy() for name in vocabulary.inputs}  # only the id's code is read
    new_user = new & (vocabulary.transform(columns)["user_id"] == _OUT_OF_VOCABULARY)
    new_item = new & ~known_item
    return {
        "rows": int(new.sum()),
        "replayed": int((~new).sum()),
        "new_users": taken["user_id"][new_user].nunique(),
        "new_user_rows": int(new_user.sum()),
        "new_items": taken["item_id"][new_item].nunique(),
        "new_item_rows": int(new_item.sum()),
    }
