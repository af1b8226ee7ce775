"""Releases that must not be served, each refused for its own reason, the served one untouched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories.matching import make_matching_release, shuffle_ranker
from factories.shop import make_shop

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import BadData, BadUse
from recsys.models.remeasure import remeasure
from recsys.release import gate_latency
from recsys.release.gate_trial import trial
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.store import ReleaseStore
from recsys.settings import EvaluationSettings, GateSettings, ServingSettings, Settings

SETTINGS = Settings(
    serving=ServingSettings(retrieved=40, ranked=40, returned=10),
    evaluation=EvaluationSettings(rows=600, auc_rows=600),
    # What random towers of a factory cannot reach; the ranker's limits stay as they are.
    gate=GateSettings(resamples=200, rounds=5, over_popularity=0, calibration_error=1, latency=10),
)


@dataclass
class Served:
    """A store whose release 1 is served, and what its successors are judged by."""

    dataset: Dataset
    store: ReleaseStore
    evaluation: Path

    def evaluate(self, release: Path, folder: Path) -> Path:
        folder.mkdir()
        found = remeasure(release, self.dataset, SETTINGS)
        found.save(folder)
        metrics = {"baselines": {"popularity": {"hit@10": 0.1}}}
        (folder / "evaluation.json").write_text(json.dumps(metrics))
        return folder

    def publish(self, release: Path, report: dict[str, Any]) -> int:
        verdict = Verdict(passed=report["passed"], reason=report["reason"], report=report)
        window = DataWindow(fingerprint="tiny", days=tuple(range(9)))
        return self.store.publish(release, data=window, metrics={}, gate=verdict, parent=1)

    def judge(self, release: Path, evaluation: Path, settings: Settings = SETTINGS) -> dict[str, Any]:
        return trial(release, evaluation, settings, self.store.path(1), self.evaluation)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("refusals")
    dataset = Dataset.open(make_shop(folder / "shop"))
    made = Served(dataset, ReleaseStore(folder / "releases"), folder / "evaluation")
    release = make_matching_release(folder / "release", dataset)
    made.evaluate(release, made.evaluation)
    report = trial(release, made.evaluation, SETTINGS)
    assert report["reason"] == ""
    window = DataWindow(fingerprint="tiny", days=tuple(range(9)))
    made.store.set_current(made.store.publish(release, data=window, metrics={}))
    return made


@pytest.fixture
def candidate(made: Served, tmp_path: Path) -> Iterator[Path]:
    """A copy of the served release to damage; release 1 must be served whole ever after."""
    folder = tmp_path / "candidate"
    shutil.copytree(made.store.path(1), folder)
    (folder / schema.MANIFEST_FILE).unlink()
    for path in folder.rglob("*"):
        path.chmod(0o644)
    yield folder
    assert made.store.current() == 1
    made.store.verify(1)


def _refuse(made: Served, candidate: Path, report: dict[str, Any]) -> None:
    """Published all the same, and never current."""
    assert not report["passed"]
    assert "\n" not in report["reason"]
    with pytest.raises(BadUse, match="refused by its gate"):
        made.store.set_current(made.publish(candidate, report))


def test_copy_of_the_served_release_passes(made: Served, candidate: Path) -> None:
    report = made.judge(candidate, made.evaluation)
    assert (report["passed"], report["reason"], report["parent"]) == (True, "", 1)


def test_rows_of_the_parent_are_enough(made: Served, candidate: Path, tmp_path: Path) -> None:
    shutil.copy(made.evaluation / "outcomes.npz", tmp_path)
    report = trial(candidate, made.evaluation, SETTINGS, made.store.path(1), tmp_path)
    assert (report["passed"], report["parent"]) == (True, 1)


def test_shuffled_ranker_weights(made: Served, candidate: Path, tmp_path: Path) -> None:
    shuffle_ranker(candidate)
    report = made.judge(candidate, made.evaluate(candidate, tmp_path / "evaluation"))
    failed = {check["metric"] for check in report["checks"] if not check["passed"]}
    assert {"ranker.auc", "ranker.auc / parent", "chain.ndcg@10 / parent"} <= failed
    assert "retrieval.hit@300 / parent" not in failed
    _refuse(made, candidate, report)


@pytest.mark.parametrize("file", [schema.DLRM_ONNX, schema.QUERY_TOWER_ONNX])
def test_truncated_onnx_file(made: Served, candidate: Path, file: str) -> None:
    path = candidate / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    report = made.judge(candidate, made.evaluation)
    assert report["reason"].startswith(f"{file}: cannot be loaded (")
    _refuse(made, candidate, report)


def test_missing_file(made: Served, candidate: Path) -> None:
    (candidate / schema.INDEX_FILE).unlink()
    report = made.judge(candidate, made.evaluation)
    assert report["reason"] == "the release: index.faiss missing"
    _refuse(made, candidate, report)


def test_manifest_with_a_wrong_hash(made: Served, candidate: Path) -> None:
    """Its gate let it through, but the files are not those that were judged."""
    number = made.publish(candidate, {"passed": True, "reason": ""})
    manifest = made.store.path(number) / schema.MANIFEST_FILE
    document = json.loads(manifest.read_text())
    document["files"][schema.DLRM_ONNX]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(document))
    with pytest.raises(BadData, match=r"dlrm\.onnx: sha256 differs from the manifest's"):
        made.store.verify(number)


def test_a_fifth_slower(made: Served, candidate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)

    def measured(
        releases: Sequence[Path], serving: ServingSettings, rounds: int
    ) -> list[dict[str, np.ndarray]]:
        assert releases == [candidate, made.store.path(1)]
        machine = 900 * (1 + rng.random(rounds))
        return [{"dlrm": machine * rng.normal(speed, 0.02, rounds)} for speed in (1.2, 1.0)]

    monkeypatch.setattr(gate_latency, "measure", measured)
    usual = SETTINGS.model_copy(
        update={"gate": SETTINGS.gate.model_copy(update={"latency": 1.15, "rounds": 60})}
    )
    report = made.judge(candidate, made.evaluation, usual)
    assert report["reason"].startswith("latency / parent 1.")
    assert ";" not in report["reason"]
    _refuse(made, candidate, report)


def test_parent_that_could_not_be_measured_is_no_comparison(
    made: Served, candidate: Path, tmp_path: Path
) -> None:
    report = trial(candidate, made.evaluation, SETTINGS, made.store.path(1), tmp_path)
    assert report["reason"].startswith("retrieval.hit@300 / parent is missing; ")
    alone = SETTINGS.model_copy(update={"gate": SETTINGS.gate.model_copy(update={"compare": False})})
    assert trial(candidate, made.evaluation, alone, made.store.path(1), tmp_path)["passed"]
