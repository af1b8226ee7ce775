"""The whole full-training pipeline on Kubeflow's local runner, from a tiny data set to a served release."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from factories.shop import make_shop

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import RecsysError
from recsys.kubeflow import StepEvent, run_full
from recsys.release.assemble import REQUIRED
from recsys.release.store import ReleaseStore
from recsys.serving.chain import Chain
from recsys.settings import Settings

pytestmark = pytest.mark.functional

TINY = {
    "RECSYS_TRAINING__RETRIEVAL__EPOCHS": "2",
    "RECSYS_TRAINING__RETRIEVAL__MOST_EPOCHS": "2",
    "RECSYS_TRAINING__RANKING__EPOCHS": "2",
    "RECSYS_TRAINING__RANKING__MOST_EPOCHS": "2",
    "RECSYS_GATE__RANKER_AUC": "0",  # two epochs on 3,600 rows prove the way, not the models
    "RECSYS_GATE__OVER_POPULARITY": "0",
    "RECSYS_GATE__OVER_RETRIEVAL": "0",
}
STEPS = (
    "validate",
    "features",
    "encode items",
    "train retrieval",
    "train ranking",
    "build index",
    "assemble release",
    "evaluate",
    "gate",
    "publish",
)


@dataclass
class Trained:
    """One home after its first full training."""

    data: Path
    home: Path
    release: int = 0
    events: list[StepEvent] = field(default_factory=list)

    def run(self) -> int:
        self.events.clear()
        return run_full(self.data, self.home, Settings(), self.events.append)

    def ended(self) -> dict[str, str]:
        return {e.step: e.state for e in self.events if e.state in {"done", "reused", "failed"}}

    @property
    def store(self) -> ReleaseStore:
        return ReleaseStore(self.home / "releases")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    folder = tmp_path_factory.mktemp("full_training")
    found = Trained(make_shop(folder / "shop"), folder / "home")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in TINY.items():
            patch.setenv(name, value)
        found.release = found.run()
        yield found


def test_every_step_ran_in_its_own_process(trained: Trained) -> None:
    done = {e.step: e for e in trained.events if e.state == "done"}
    assert sorted(done) == sorted(STEPS)
    assert all((e.peak_mib or 0) > 20 for e in done.values())
    assert (trained.home / "logs" / "full-training.log").stat().st_size > 0


def test_release_is_whole_and_current(trained: Trained) -> None:
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


def test_manifest_holds_the_evaluation(trained: Trained) -> None:
    metrics = trained.store.show(trained.release).metrics
    for part in ("retrieval", "chain"):
        assert 0 <= metrics[part]["hit@10"] <= metrics[part]["hit@300"] <= 1
    assert 0 <= metrics["ranker"]["auc"] <= 1
    assert {"popularity", "als"} <= set(metrics["baselines"])
    json.dumps(metrics, allow_nan=False)


def test_release_serves_its_own_items(trained: Trained) -> None:
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


def test_same_inputs_are_not_trained_again(trained: Trained) -> None:
    assert trained.run() == trained.release
    assert [e.state for e in trained.events] == ["note"]


def test_new_floor_judges_again_and_trains_nothing(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_GATE__RETRIEVAL_HIT", "1")
    monkeypatch.setenv("RECSYS_GATE__RANKER_AUC", "1")
    with pytest.raises(RecsysError, match=r"release 2: refused by its gate: .*ranker\.auc"):
        trained.run()
    ended = trained.ended()
    assert (ended.pop("gate"), ended.pop("publish")) == ("done", "done")
    assert set(ended.values()) == {"reused"}
    assert trained.store.current() == trained.release
    assert trained.store.show(2).files == trained.store.show(trained.release).files
