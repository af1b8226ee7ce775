from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from recsys.errors import BadUse
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.store import ReleaseStore
from recsys.release.tracked import metrics_of
from recsys.release.tracking import Tracker, on_promote, on_publish
from recsys.settings import MlflowSettings

REPORT = {
    "passed": True,
    "reason": "",
    "rows": 0,
    "checks": [],
    "hits": {},
    "calibration": {},
    "segments": [],
}
REPORT |= {"latency": {}, "parity": {}}


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


@pytest.fixture
def settings(tmp_path: Path) -> MlflowSettings:
    return MlflowSettings(uri=f"sqlite:///{tmp_path}/mlflow.db")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables, which take seconds to make."""
    mlflow = pytest.importorskip("mlflow")
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}", f"sqlite:///{path}").search_registered_models()
    return path


@pytest.fixture
def client(settings: MlflowSettings, empty: Path) -> Any:
    shutil.copy(empty, settings.uri.removeprefix("sqlite:///"))
    mlflow = pytest.importorskip("mlflow")
    return mlflow.MlflowClient(tracking_uri=settings.uri, registry_uri=settings.uri)


def _publish(store: ReleaseStore, artefacts: Path, window: DataWindow, *, passed: bool = True) -> int:
    (artefacts / "index.faiss").write_bytes(b"%d" % len(store.numbers()))
    return store.publish(
        artefacts,
        data=window,
        metrics={"chain": {"ndcg@10": 0.28, "note": "kept"}, "rows": 40},
        gate=Verdict(passed=passed, reason="" if passed else "ranker.auc is missing", report=REPORT),
    )


def _aliases(client: Any) -> dict[str, int]:
    """The release that each alias stands for."""
    found = client.get_registered_model("recsys").aliases
    return {
        name: int(client.get_model_version("recsys", version).tags["release"])
        for name, version in found.items()
    }


def test_aliases_follow_publication_promotion_and_rollback(
    store: ReleaseStore, artefacts: Path, window: DataWindow, settings: MlflowSettings, client: Any
) -> None:
    store.set_current(_publish(store, artefacts, window))
    assert on_publish(store, settings) == ""
    assert _aliases(client) == {"champion": 1}
    _publish(store, artefacts, window)
    _publish(store, artefacts, window, passed=False)
    assert on_publish(store, settings) == ""
    assert _aliases(client) == {"champion": 1, "challenger": 2}
    store.set_current(2)
    assert on_promote(store, settings) == ""
    assert _aliases(client) == {"champion": 2}
    store.set_current(1)
    assert on_promote(store, settings) == ""
    assert _aliases(client) == {"champion": 1, "challenger": 2}
    assert len(client.search_model_versions("name = 'recsys'")) == 3


def test_a_run_holds_what_the_manifest_says(
    store: ReleaseStore, artefacts: Path, window: DataWindow, settings: MlflowSettings, client: Any
) -> None:
    (artefacts / "training").mkdir()
    (artefacts / "training" / "recipe.json").write_text(json.dumps({"ranking": {"top": [64, 32]}}))
    store.set_current(_publish(store, artefacts, window))
    on_publish(store, settings)
    version = client.get_model_version_by_alias("recsys", "champion")
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"chain.ndcg_at_10": 0.28, "rows": 40}
    assert run.data.params["data.days"] == "[0, 1, 2]"
    assert run.data.params["recipe.ranking.top"] == "[64, 32]"
    assert version.tags["gate"] == "passed"
    logged = {one.path for one in client.list_artifacts(version.run_id)}
    assert logged == {"manifest.json", "gate.json", "gate.html"}
    kept = store.root.parent / "mlflow.artifacts"
    (manifest,) = kept.rglob("manifest.json")
    assert manifest.read_bytes() == (store.path(1) / "manifest.json").read_bytes()
    assert not Path("mlruns").exists()


def test_what_was_missed_is_made_up_for(
    store: ReleaseStore, artefacts: Path, window: DataWindow, settings: MlflowSettings, client: Any
) -> None:
    for _ in range(3):
        _publish(store, artefacts, window)
    store.set_current(3)
    Tracker(settings).follow(store)
    Tracker(settings).follow(store)
    tags = [one.tags["release"] for one in client.search_model_versions("name = 'recsys'")]
    assert sorted(tags) == ["1", "2", "3"]


def test_a_server_that_does_not_answer_is_told_and_no_failure(
    store: ReleaseStore, artefacts: Path, window: DataWindow
) -> None:
    pytest.importorskip("mlflow")
    store.set_current(_publish(store, artefacts, window))
    trouble = on_promote(store, MlflowSettings(uri="sqlite:////dev/null/mlflow.db"))
    assert trouble.startswith("MLflow at sqlite:////dev/null/mlflow.db: ")
    assert "\n" not in trouble
    assert store.current() == 1


def test_without_mlflow_only_the_tracker_complains(
    store: ReleaseStore, settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(BadUse, match="MLflow is not installed"):
        Tracker(settings)
    assert "Install mlflow-skinny" in on_publish(store, settings)
    assert on_publish(store, MlflowSettings()) == ""  # not configured: not even looked for
    with pytest.raises(BadUse, match="Set RECSYS_MLFLOW__URI"):
        Tracker(MlflowSettings())


def test_metrics_are_flat_numbers_under_names_that_mlflow_takes() -> None:
    found = metrics_of({"a": {"hit@10": 1, "b c": float("nan"), "x,y": 2.0}, "on": True, "list": [1]})
    assert found == {"a.hit_at_10": 1.0, "a.x_y": 2.0}
