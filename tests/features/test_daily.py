from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories.release import KNOWN_USERS, make_release
from factories.shop import make_shop

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import BadData
from recsys.features.daily import daily_rows
from recsys.features.training import training_rows
from recsys.settings import FinetuneSettings, TrainingSettings

_UNMASKED = TrainingSettings(mask_user_share=0, mask_device_share=0)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset.open(make_shop(tmp_path / "shop", rows=100, days=range(5)))


@pytest.fixture
def release(dataset: Dataset, tmp_path: Path) -> Path:
    """A release that holds every item but one of those that are clicked."""
    ids = dataset.items["item_id"].tolist()
    ids.remove(dataset.interactions([4])["item_id"].iloc[0])
    folder = make_release(tmp_path / "release", item_ids=ids)
    (folder / schema.RECIPE_FILE).parent.mkdir()
    (folder / schema.RECIPE_FILE).write_text(_UNMASKED.model_dump_json())
    return folder


def test_features_are_those_that_training_would_have_had(dataset, release):
    made = daily_rows(dataset, release, [3, 4], [0, 1, 2], FinetuneSettings(replay_share=0))
    whole = training_rows(dataset, [3, 4], masked=False, history_days=range(5))
    known = whole[whole["item_id"].isin(np.load(release / schema.ITEM_IDS_FILE))].reset_index(drop=True)
    found = made.frame.drop(columns="replayed").reset_index(drop=True)
    pd.testing.assert_frame_equal(found[list(known)], known, check_dtype=False)


def test_what_the_release_does_not_know_is_counted(dataset, release):
    made = daily_rows(dataset, release, [4], [0, 1, 2, 3], FinetuneSettings(replay_share=0.3))
    day = dataset.interactions([4])
    unknown_item = ~day["item_id"].isin(np.load(release / schema.ITEM_IDS_FILE))
    unknown_user = ~day["user_id"].isin(KNOWN_USERS)
    assert made.counts == {
        "rows": 100,
        "replayed": 30,
        "new_users": day["user_id"][unknown_user].nunique(),
        "new_user_rows": unknown_user.sum(),
        "new_items": 1,
        "new_item_rows": unknown_item.sum(),
    }
    assert len(made.frame) == 130 - (
        130 - made.frame["item_id"].isin(np.load(release / "item_ids.npy")).sum()
    )
    assert (~made.frame["replayed"]).sum() == 100 - unknown_item.sum()


def test_rows_are_masked_as_the_parent_s_were(dataset, release):
    recipe = TrainingSettings(mask_user_share=0.5, mask_device_share=0)
    (release / schema.RECIPE_FILE).write_text(recipe.model_dump_json())
    made = daily_rows(dataset, release, [4], [], FinetuneSettings())
    masked = made.frame["user_id"] == schema.UNKNOWN
    assert 0.3 < masked.mean() < 0.7
    mean_age = json.loads((release / schema.DEFAULTS_FILE).read_text())["mean_age"]
    assert (made.frame.loc[masked, "age"] == np.float32(mean_age)).all()


def test_a_shop_of_other_items_is_refused(dataset, release):
    np.save(release / schema.ITEM_IDS_FILE, np.array([1, 2, 3]))
    with pytest.raises(BadData, match="none of the items"):
        daily_rows(dataset, release, [4], [], FinetuneSettings())


def test_a_release_without_a_recipe_is_refused(dataset, release):
    (release / schema.RECIPE_FILE).unlink()
    with pytest.raises(BadData, match="keeps nothing to start from"):
        daily_rows(dataset, release, [4], [], FinetuneSettings())
