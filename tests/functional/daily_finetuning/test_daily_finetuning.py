"""The whole daily pipeline on Kubeflow's local runner, from a release and new days to its successor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from factories.trained import Trained

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.serving.chain import Chain
from recsys.settings import Settings

pytestmark = pytest.mark.functional

STEPS = (
    "take parent",
    "validate",
    "daily features",
    "finetune",
    "assemble daily",
    "remeasure",
    "evaluate",
    "gate",
    "publish",
    "promote",
)


def test_every_step_ran(learned: Any) -> None:
    assert sorted(e.step for e in learned.events if e.state == "done") == sorted(STEPS)


def test_release_is_its_parent_s_successor(learned: Any, trained: Trained) -> None:
    store = learned.store
    store.verify(learned.release)
    manifest = store.show(learned.release)
    assert (manifest.kind, manifest.parent) == ("daily", trained.release)
    assert manifest.data.days == tuple(range(11)), "day 11 is left to judge by"
    assert store.current() == learned.release


def test_items_and_index_are_the_parent_s_own_files(learned: Any, trained: Trained) -> None:
    store = learned.store
    shared = (
        schema.INDEX_FILE,
        schema.INDEX_META_FILE,
        schema.CANDIDATE_TOWER_ONNX,
        schema.ITEM_IDS_FILE,
        schema.ITEM_FEATURES_FILE,
        schema.IMAGE_EMBEDDINGS_FILE,
        f"{schema.USER_WORKFLOW}.npz",
    )
    theirs = trained.store.show(trained.release).files
    for name in shared:
        sha256 = theirs[name].sha256
        kept_once = store.root / "objects" / sha256[:2] / sha256
        assert (store.path(learned.release) / name).samefile(kept_once), f"{name} lies there twice"


def test_query_tower_ranker_and_what_counts_clicks_are_new(learned: Any, trained: Trained) -> None:
    here, there = (learned.store.show(number).files for number in (learned.release, trained.release))
    assert set(here) == set(there)
    changed = (schema.QUERY_TOWER_ONNX, schema.DLRM_ONNX, schema.POPULARITY_FILE, schema.CLICK_HISTORY_FILE)
    for name in changed:
        assert here[name].sha256 != there[name].sha256, name
    popularity = np.load(learned.store.path(learned.release) / schema.POPULARITY_FILE)
    assert popularity.sum() == len(Dataset.open(learned.data).interactions(range(11)))


def test_release_serves_its_own_items(learned: Any) -> None:
    dataset = Dataset.open(learned.data)
    chain = Chain(learned.store.path(learned.release), Settings())
    try:
        ids = chain.run({"user_id": dataset.users["user_id"].to_numpy()[:3]})["ordered_ids"]
    finally:
        chain.close()
    for row in ids:
        assert set(row[row != schema.NO_ITEM]) == set(dataset.items["item_id"])


def test_the_same_day_again_trains_nothing(learned: Any) -> None:
    numbers = learned.store.numbers()
    events = list(learned.events)
    assert learned.run() == learned.release
    assert [e.state for e in learned.events] == ["note"]
    learned.events[:] = events
    assert learned.store.numbers() == numbers
