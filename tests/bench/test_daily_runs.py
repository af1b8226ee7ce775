from __future__ import annotations

from pathlib import Path

import pytest

from recsys.bench.daily_runs import Run, timed
from recsys.errors import BadUse
from recsys.kubeflow import StepEvent


def _pipeline(**states: str):
    """A run in which each step takes two seconds, or is taken from an earlier run."""

    def make(told) -> int:
        for index, (step, state) in enumerate(states.items(), start=1):
            told(StepEvent(step, state, index, len(states), seconds=2.0))
        return 7

    return make


def _timed(folder: Path, **states: str) -> Run:
    return timed(folder, lambda _: None, _pipeline(**states))


def test_steps_take_their_times(tmp_path: Path) -> None:
    found = _timed(tmp_path / "daily-a", validate="done", finetune="done")
    assert (found.release, found.steps) == (7, {"validate": 2.0, "finetune": 2.0})
    assert found.cpu_steps.keys() == found.loads.keys() == found.steps.keys()


def test_a_step_of_a_run_with_other_settings_keeps_its_time(tmp_path: Path) -> None:
    _timed(tmp_path / "daily-a", validate="done", finetune="done")
    found = _timed(tmp_path / "daily-b", validate="reused", finetune="done")
    assert found.steps == {"validate": 2.0, "finetune": 2.0}
    assert _timed(tmp_path / "daily-b", validate="reused", finetune="reused") == found


def test_a_step_whose_time_nobody_knows_is_refused(tmp_path: Path) -> None:
    _timed(tmp_path / "parent", validate="done")
    with pytest.raises(BadUse, match="what step validate put out is kept, how long it took is not"):
        _timed(tmp_path / "daily-b", validate="reused")
