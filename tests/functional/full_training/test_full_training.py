"""The whole full-training pipeline on Kubeflow's local runner, from a tiny data set to a served release."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import RecsysError
from recsys.release.assemble import REQUIRED
from recsys.serving.chain import Chain
from recsys.settings import Settings

pytestmark = pytest.mark.functional

STEPS = (
    "validate",
    "features",
    "encode items",
    "train retrieval",
    "train ranking",
    "build index",
    "assemble release",
    "take current",
    "remeasure",
    "evaluate",
    "gate",
    "publish",
)


def test_every_step_ran_in_its_own_process(trained: Any) -> None:
    done = {e.step: e for e in trained.events if e.state == "done"}
    assert sorted(done) == sorted(STEPS)
    assert all((e.peak_mib or 0) > 20 for e in done.values())
    assert (trained.home / "logs" / "full-training.log").stat().st_size > 0


def test_release_is_whole_and_current(trained: Any) -> None:
    store = trained.store
    store.verify(trained.release)
    assert store.current() == trained.release
    manifest = store.show(trained.release)
    assert set(REQUIRED) <= set(manifest.files)
    for model in ("query_tower", "candidate_tower", "dlrm"):
        assert f"savedmodels/{model}/saved_model.pb" in manifest.files
    for view in ("user_features", "item_features", "user_behavior_features"):
        assert f"feast/{view}.parquet" in manifest.files
    assert manifest.data.days == tuple(schema.TRAIN_DAYS)
    assert manifest.gate.passed
    assert manifest.versions["tensorflow-cpu"]


def test_manifest_holds_the_evaluation(trained: Any) -> None:
    metrics = trained.store.show(trained.release).metrics
    for part in ("retrieval", "chain"):
        assert 0 <= metrics[part]["hit@10"] <= metrics[part]["hit@300"] <= 1
    assert 0 <= metrics["ranker"]["auc"] <= 1
    assert {"popularity", "als"} <= set(metrics["baselines"])
    json.dumps(metrics, allow_nan=False)


def test_release_serves_its_own_items(trained: Any) -> None:
    dataset = Dataset.open(trained.data)
    users = np.append(dataset.users["user_id"].to_numpy()[:5], [-1, 2**62])
    chain = Chain(trained.store.path(trained.release), Settings())
    try:
        ids = chain.run({"user_id": users})["ordered_ids"]
    finally:
        chain.close()
    known = set(dataset.items["item_id"])
    for row in ids:
        answered = [item for item in row.tolist() if item != schema.NO_ITEM]
        assert len(answered) == len(set(answered)) == len(known)
        assert set(answered) == known


def test_same_inputs_are_not_trained_again(trained: Any) -> None:
    assert trained.run() == trained.release
    assert [e.state for e in trained.events] == ["note"]


def test_new_floor_judges_again_and_trains_nothing(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_GATE__RETRIEVAL_HIT", "1")
    monkeypatch.setenv("RECSYS_GATE__RANKER_AUC", "1")
    with pytest.raises(RecsysError, match=r"release 2: refused by its gate: .*ranker\.auc"):
        trained.run()
    ended = trained.ended()
    assert {ended.pop(step) for step in ("take current", "remeasure", "gate", "publish")} == {"done"}
    assert set(ended.values()) == {"reused"}
    assert trained.store.current() == trained.release
    assert trained.store.show(2).files == trained.store.show(trained.release).files
