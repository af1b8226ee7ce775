from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from factories.shop import make_shop

import recsys.kubeflow
from recsys.errors import RecsysError
from recsys.kubeflow import StepEvent
from recsys.settings import Settings

EVENTS = (
    StepEvent("validate", "started", 1, 2),
    StepEvent("validate", "progress", 1, 2, message="users.parquet", share=0.5),
    StepEvent("validate", "done", 1, 2, seconds=3.25, peak_mib=1_234),
    StepEvent("train retrieval", "started", 2, 2),
    StepEvent("train retrieval", "reused", 2, 2, seconds=0.5),
    StepEvent("", "note", message="nothing [more] to train"),
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop", users=10, items=20, rows=50)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Path, list[int]]]:
    """Replaces the training by its events; holds the folders and days it was called with."""
    calls: list[tuple[Path, Path, list[int]]] = []

    def run_full(
        data: Path, home: Path, _: object, progress: Callable[[StepEvent], None], days: list[int]
    ) -> int:
        calls.append((data, home, days))
        for event in EVENTS:
            progress(event)
        return 3

    monkeypatch.setattr(recsys.kubeflow, "run_full", run_full)
    return calls


def test_each_step_is_a_line_with_time_and_memory(run, shop: Path, trained: list) -> None:
    outcome = run("pipeline", "run", "full", "--data", shop)
    lines = outcome.err.splitlines()
    assert lines[0] == "… [1/2] validate"
    assert lines[1].split() == ["✓", "[1/2]", "validate", "3.2", "s", "1,234", "MiB"]
    assert lines[3].split() == ["✓", "[2/2]", "train", "retrieval", "0.5", "s", "unchanged,", "reused"]
    assert lines[4] == "  nothing [more] to train"
    assert "Release 3" in outcome.out


def test_json_is_the_release_and_nothing_else(run, shop: Path, home: Path, trained: list) -> None:
    outcome = run("pipeline", "run", "full", "--data", shop, "--json")
    assert json.loads(outcome.out) == {"release": 3, "current": None}
    assert trained == [(shop, home, [])]


def test_days_to_train_on_may_be_given(run, shop: Path, home: Path, trained: list) -> None:
    run("pipeline", "run", "full", "--data", shop, "--days", "0-3,5")
    assert trained == [(shop, home, [0, 1, 2, 3, 5])]
    outcome = run("pipeline", "run", "full", "--data", shop, "--days", "monday")
    assert (outcome.code, "'monday' are not days" in outcome.err) == (2, True)


def test_daily_passes_days_and_parent_on(
    run, shop: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def run_daily(data: Path, where: Path, _: object, progress: Callable, **chosen: object) -> int:
        promote = chosen.pop("promote")
        calls.append((data, where, chosen))
        promote(4)
        for event in EVENTS:
            progress(event)
        return 4

    promoted = []

    def promote_here(settings: Settings, number: int, report: Callable[[str, str], None]) -> None:
        promoted.append((settings.home, number))
        report("triton", "serves release 4")

    monkeypatch.setattr(recsys.kubeflow, "run_daily", run_daily)
    monkeypatch.setattr("recsys.local.promotion.promote_here", promote_here)
    outcome = run("pipeline", "run", "daily", "--data", shop, "--days", "11-12", "--release", "2", "--json")
    assert json.loads(outcome.out) == {"release": 4, "current": None}
    run("pipeline", "run", "daily", "--data", shop)
    assert [chosen for _, _, chosen in calls] == [
        {"days": [11, 12], "release": 2},
        {"days": [], "release": 0},
    ]
    assert {call[:2] for call in calls} == {(shop, home)}
    assert promoted == [(home, 4)] * 2
    assert "triton: serves release 4" in outcome.err


def test_a_clean_copy_of_the_data_is_kept(run, shop: Path, home: Path, trained: list) -> None:
    run("pipeline", "run", "full", "--data", shop)
    assert (home / "data" / "items.parquet").is_file()


def test_a_step_that_fails_is_one_line(run, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_full(_: Path, __: Path, ___: object, progress: Callable[[StepEvent], None], ____: object) -> int:
        progress(StepEvent("features", "started", 1, 2))
        progress(StepEvent("features", "failed", 1, 2, message="no memory"))
        raise RecsysError("step features", "no memory", "See the log")

    monkeypatch.setattr(recsys.kubeflow, "run_full", run_full)
    outcome = run("pipeline", "run", "full", "--data", shop, "--json")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines()[1:] == [
        "✗ [1/2] features",
        "recsys: step features: no memory. See the log",
    ]


def test_compile_writes_the_ir(run, tmp_path: Path) -> None:
    outcome = run("pipeline", "compile", "--out", tmp_path / "ir")
    written = [Path(line) for line in outcome.out.split()]
    assert all(path.is_file() for path in written)
    assert [path.stem for path in written] == [
        "daily_finetuning", "full_training", "roll_out", "train_and_roll_out"
    ]  # fmt: skip
    assert "RECSYS_RELEASES__KEEP" not in written[0].read_text()


def test_compile_gives_every_step_variables(run, tmp_path: Path) -> None:
    outcome = run("pipeline", "compile", "--out", tmp_path, "--env", "RECSYS_RELEASES__KEEP=20")
    assert outcome.code == 0
    assert "name: RECSYS_RELEASES__KEEP" in (tmp_path / "daily_finetuning.yaml").read_text()
    refused = run("pipeline", "compile", "--out", tmp_path, "--env", "RECSYS_RELEASES__KEEP")
    assert refused.code == 2
    assert "is not NAME=VALUE" in refused.err
