from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.bench.daily_runs import Run, timed
from recsys.errors import BadUse, RecsysError
from recsys.kubeflow import StepEvent

_Show = Callable[[StepEvent], None]


def _ends(show: _Show, step: str, seconds: float) -> None:
    show(StepEvent(step, "started"))
    show(StepEvent(step, "done", seconds=seconds))


def test_each_step_is_timed_by_the_clock_and_on_the_cpu(tmp_path) -> None:
    def make(show: _Show) -> int:
        show(StepEvent("train", "started"))
        subprocess.run([sys.executable, "-c", "for _ in range(10**6): pass"], check=True, timeout=60)
        show(StepEvent("train", "done", seconds=3.0))
        _ends(show, "gate", 7.0)
        return 5

    told: list[str] = []
    run = timed(tmp_path / "parent", told.append, make)
    assert (run.release, run.seconds, told) == (5, 3.0, ["parent: train", "parent: gate"])
    assert run.steps == {"train": 3.0, "gate": 7.0}
    assert run.cpu_seconds > 0
    assert set(run.loads) == {"train", "gate"}


def test_a_broken_run_goes_on_and_what_had_ended_keeps_its_time(tmp_path) -> None:
    def broken(show: _Show) -> int:
        _ends(show, "validate", 2.0)
        show(StepEvent("train", "started"))
        raise RecsysError("step train", "exit code 1", "See the log")

    def again(show: _Show) -> int:
        show(StepEvent("validate", "started"))
        show(StepEvent("validate", "reused"))
        _ends(show, "train", 40.0)
        return 1

    with pytest.raises(RecsysError, match="step train"):
        timed(tmp_path / "parent", print, broken)
    run = timed(tmp_path / "parent", print, again)
    assert (run.release, run.steps) == (1, {"validate": 2.0, "train": 40.0})
    assert timed(tmp_path / "parent", print, lambda _: 1) == run, "of a finished run only the number is asked"


def test_a_step_of_unknown_time_is_no_step_of_none(tmp_path) -> None:
    def make(show: _Show) -> int:
        show(StepEvent("train", "reused"))
        return 1

    with pytest.raises(BadUse, match="how long it took is not") as refused:
        timed(tmp_path / "parent", print, make)
    assert refused.value.fix == "Remove this folder and measure again"


def test_load_is_that_of_the_learning_weighted_by_time() -> None:
    run = Run(
        1, {"validate": 1.0, "train": 3.0, "gate": 100.0}, {}, {"validate": 4.0, "train": 8.0, "gate": 90.0}
    )
    assert run.load == pytest.approx(7.0)
    assert Run(1, {"train": 3.0}).load == 0.0


def test_times_are_kept_as_they_come(tmp_path: Path) -> None:
    def make(show: _Show) -> int:
        _ends(show, "validate", 2.0)
        kept = json.loads((tmp_path / "parent" / "times.json").read_text())
        assert kept["steps"] == {"validate": 2.0}
        assert kept["release"] == 0
        return 1

    assert timed(tmp_path / "parent", print, make).release == 1
