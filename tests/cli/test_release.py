from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from recsys.release.manifest import DataWindow, Verdict
from recsys.release.remote import open_store
from recsys.release.store import ReleaseStore

METRICS = {
    "retrieval": {"hit@10": 0.25},
    "chain": {"hit@10": 0.5},
    "anonymous": {"retrieval": {}, "chain": {"hit@10": 0.125}},
    "baselines": {"popular_in_category": {"hit@10": 0.0625}},
    "ranker": {"auc": 0.75},
    "rows": 1_000,
}


@pytest.fixture
def store(home: Path) -> ReleaseStore:
    return ReleaseStore(home / "releases")


def publish(store: ReleaseStore, content: str, parent: int | None = None, passed: bool = True) -> int:
    staging = store.root.parent / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    (staging / "model").write_text(content)
    return store.publish(
        staging,
        data=DataWindow(fingerprint=content, days=(0, 1, 8)),
        metrics=METRICS,
        gate=Verdict(passed=passed, reason="" if passed else "hit@10 fell to 0.1"),
        parent=parent,
    )


def test_an_empty_home_has_no_releases(run) -> None:
    assert json.loads(run("release", "list", "--json").out) == {"current": None, "releases": []}


def test_list_marks_what_is_served_and_tells_what_was_refused(run, store: ReleaseStore) -> None:
    store.set_current(publish(store, "a"))
    publish(store, "b", passed=False)
    lines = run("release", "list").out.splitlines()
    assert lines[2].startswith("1 *")
    assert lines[2].split()[-1] == "passed"
    assert "0–8" in lines[2]
    assert lines[3].startswith("2 ")
    assert lines[3].rstrip().endswith("refused: hit@10 fell to 0.1")


def test_list_json_holds_gate_and_metrics(run, store: ReleaseStore) -> None:
    publish(store, "a", passed=False)
    [entry] = json.loads(run("release", "list", "--json").out)["releases"]
    assert entry["gate"] == {"passed": False, "reason": "hit@10 fell to 0.1"}
    assert entry["metrics"] == METRICS


def test_show_tells_days_scores_and_files(run, store: ReleaseStore) -> None:
    publish(store, "a")
    lines = [line.split() for line in run("release", "show", "1").out.splitlines()]
    assert ["days", "0–8"] in lines
    assert ["whole", "chain", "0.500"] in lines
    assert ["popular", "in", "category", "0.062"] in lines
    assert ["model", "1", hashlib.sha256(b"a").hexdigest()[:12]] in lines


def test_show_json_is_the_manifest(run, store: ReleaseStore) -> None:
    publish(store, "a")
    assert json.loads(run("release", "show", "1", "--json").out)["files"]["model"]["size"] == 1


def test_promote_makes_a_release_current(run, store: ReleaseStore) -> None:
    publish(store, "a")
    publish(store, "b")
    assert run("release", "promote", "2").code == 0
    assert store.current() == 2


def test_a_refused_release_is_not_promoted(run, store: ReleaseStore) -> None:
    store.set_current(publish(store, "a"))
    publish(store, "b", passed=False)
    outcome = run("release", "promote", "2")
    assert (outcome.code, outcome.out) == (2, "")
    assert "refused by its gate: hit@10 fell to 0.1" in outcome.err
    assert store.current() == 1


def test_a_damaged_release_is_not_promoted(run, store: ReleaseStore) -> None:
    store.set_current(publish(store, "a"))
    publish(store, "b")
    damaged = store.root / "2" / "model"
    damaged.chmod(0o644)
    damaged.write_text("c")
    outcome = run("release", "promote", "2")
    assert outcome.code == 1
    assert "sha256 differs from the manifest's" in outcome.err
    assert store.current() == 1


def test_rollback_goes_to_the_parent(run, store: ReleaseStore) -> None:
    publish(store, "a")
    publish(store, "b")
    store.set_current(publish(store, "c", parent=1))
    assert run("release", "rollback").code == 0
    assert store.current() == 1


def test_rollback_without_parent_goes_to_the_one_before_that_passed(run, store: ReleaseStore) -> None:
    publish(store, "a")
    publish(store, "b", passed=False)
    store.set_current(publish(store, "c"))
    assert run("release", "rollback").code == 0
    assert store.current() == 1


def test_nothing_lies_before_the_first(run, store: ReleaseStore) -> None:
    store.set_current(publish(store, "a"))
    outcome = run("release", "rollback")
    assert outcome.code == 2
    assert outcome.err == "recsys: release 1: is the first that passed its gate. Nothing lies before it\n"


def test_prune_keeps_what_may_be_served(run, store: ReleaseStore) -> None:
    for content in "abcde":
        publish(store, content)
    store.set_current(2)
    assert run("release", "prune", "--keep", "1").out == "Removed: 3, 4.\n"
    assert json.loads(run("release", "prune", "--keep", "1", "--json").out) == {"removed": []}
    assert store.numbers() == (1, 2, 5)
    assert run("release", "prune", "--keep", "0").code == 2


def test_another_store_is_looked_after_by_its_address(run, store: ReleaseStore, tmp_path: Path) -> None:
    remote = open_store(f"file://{tmp_path}/remote")
    for content in (b"a", b"b"):
        staging = tmp_path / "staging"
        staging.mkdir(exist_ok=True)
        (staging / "model").write_bytes(content)
        remote.publish(staging, data=DataWindow(fingerprint="f", days=()), metrics={})
    assert run("release", "verify", "--store", str(remote)).out == "Whole: 1, 2.\n"
    pruned = run("release", "prune", "--keep", "1", "--store", str(remote), "--json")
    assert json.loads(pruned.out) == {"removed": [1]}
    assert remote.numbers() == (2,)
    assert store.numbers() == ()


def test_verify_names_what_is_damaged(run, store: ReleaseStore) -> None:
    publish(store, "a")
    publish(store, "b")
    assert run("release", "verify").out == "Whole: 1, 2.\n"
    damaged = store.path(1) / "model"
    damaged.unlink()
    assert json.loads(run("release", "verify", "2", "--json").out) == {"verified": [2]}
    broken = run("release", "verify")
    assert broken.code == 1
    assert "missing from the release" in broken.err


def test_report_is_written_from_the_manifest(run, store: ReleaseStore, tmp_path: Path) -> None:
    publish(store, "a")
    assert "without a report" in run("release", "report", "1").err
    nothing = {"rows": 0, "latency": {}, "parity": {}, "hits": {}, "calibration": {}, "segments": []}
    found = {"passed": False, "reason": "ranker.auc is missing", "checks": [], **nothing}
    staging = store.root.parent / "staging"
    (staging / "model").write_text("b")
    verdict = Verdict(passed=False, reason="ranker.auc is missing", report=found)
    store.publish(staging, data=DataWindow(fingerprint="b", days=()), metrics={}, gate=verdict)
    assert json.loads(run("release", "report", "2", "--json").out) == found
    page = tmp_path / "page.html"
    assert run("release", "report", "2", "--out", page).out.strip() == str(page)
    assert "ranker.auc is missing" in page.read_text()


def test_mlflow_that_cannot_be_reached_stops_no_promotion(
    run, store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, "a")
    monkeypatch.setenv("RECSYS_MLFLOW__URI", "sqlite:////dev/null/mlflow.db")
    done = run("release", "promote", "1")
    assert done.code == 0
    assert "Not noted: " in done.err
    assert store.current() == 1
    assert run("release", "track").code > 0
