from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from factories.release import make_release
from factories.shop import make_shop
from kfp.dsl import Artifact, Dataset, Model

from components.publish import publish
from recsys.data.dataset import Dataset as ShopData
from recsys.data.splits import write_split
from recsys.release.store import ReleaseStore


@pytest.fixture
def run(tmp_path: Path, artefact: Any) -> Any:
    """`run(reason, …)` publishes a tiny release into `tmp_path / "releases"`."""
    data = artefact(Dataset, "data", make_shop(tmp_path / "shop"))
    release = artefact(Model, "release", make_release(tmp_path / "release"))
    evaluation = artefact(Artifact, "evaluation")
    Path(evaluation.path).mkdir()
    Path(evaluation.path, "evaluation.json").write_text(json.dumps({"ranker": {"auc": 0.7}}))

    judgement = artefact(Artifact, "judgement")
    Path(judgement.path).mkdir()

    def publish_release(reason: str = "", fingerprint: str = "", parent: int = 0) -> int:
        report = {"passed": not reason, "reason": reason, "checks": []}
        Path(judgement.path, "gate.json").write_text(json.dumps(report))
        return publish.python_func(
            release=release,
            evaluation=evaluation,
            data=data,
            judgement=judgement,
            store=str(tmp_path / "releases"),
            fingerprint=fingerprint,
            settings_fingerprint="s",
            parent=parent,
        )

    return publish_release


def test_first_release_is_published_whole_and_served(run: Any, tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "releases")
    assert run(fingerprint="f") == 1
    store.verify(1)
    assert store.current() == 1
    manifest = store.show(1)
    dataset = ShopData.open(tmp_path / "shop")
    assert manifest.data.fingerprint == dataset.fingerprint()
    assert manifest.data.days == tuple(range(9))
    assert (manifest.data.rows, manifest.data.users, manifest.data.items) == (9 * 400, 60, 40)
    assert (manifest.fingerprint, manifest.settings_fingerprint) == ("f", "s")
    assert manifest.metrics == {"ranker": {"auc": 0.7}}


def test_a_step_tried_again_publishes_once(run: Any) -> None:
    assert (run(), run()) == (1, 1)


def test_refused_release_is_kept_and_not_served(run: Any, tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "releases")
    assert run(reason="ranker.auc is missing") == 1
    assert store.show(1).gate.reason == "ranker.auc is missing"
    assert store.show(1).gate.report["checks"] == []
    assert store.current() is None


def test_later_release_waits_for_its_promotion(run: Any, tmp_path: Path) -> None:
    assert (run(fingerprint="a"), run(fingerprint="b")) == (1, 2)
    assert ReleaseStore(tmp_path / "releases").current() == 1


def test_a_fine_tuned_release_names_its_parent(run: Any, tmp_path: Path) -> None:
    run(fingerprint="a")
    assert run(fingerprint="b", parent=1) == 2
    full, daily = (ReleaseStore(tmp_path / "releases").show(number) for number in (1, 2))
    assert (full.kind, full.parent) == ("full", None)
    assert (daily.kind, daily.parent) == ("daily", 1)


def test_days_of_the_split_are_those_that_were_learned(run: Any, tmp_path: Path) -> None:
    write_split(ShopData.open(tmp_path / "shop"), range(11))
    run()
    assert ReleaseStore(tmp_path / "releases").show(1).data.days == tuple(range(11))
