"""A fine-tuning that is killed in every step and started again ends with what an undisturbed one makes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import kfp.local  # noqa: F401  (here, so that each forked run need not import it)
import pytest
from factories.trained import Trained, copy_home, differing, numbers

from recsys.kubeflow import StepEvent, run_daily
from recsys.release.store import ReleaseStore
from recsys.settings import Settings

pytestmark = pytest.mark.functional

_STEPS = 10
_SILENT = {"assemble daily", "publish", "promote"}
"""Steps too short to say how far they are: killed as they start."""


def _run_until(step: int, data: Path, home: Path) -> int:
    """Runs the pipeline in a process that kills itself in the middle of a step; how that ended."""

    def kill(event: StepEvent) -> None:
        if event.index == step and (event.state == "progress" or event.step in _SILENT):
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            run_daily(data, home, Settings(), kill)
        finally:
            os._exit(3)  # never back into pytest
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_killed_in_each_step_and_run_again(learned: Any, trained: Trained, tmp_path: Path) -> None:
    home = copy_home(trained, tmp_path / "home")
    store = ReleaseStore(home / "releases")
    before = store.numbers()
    for step in range(1, _STEPS + 1):
        assert _run_until(step, learned.data, home) == -signal.SIGKILL, f"not killed in step {step}"
        assert store.current() == trained.release
        if step < _STEPS:  # the last one promotes what is published
            assert store.numbers() == before

    events: list[StepEvent] = []
    number = run_daily(learned.data, home, Settings(), events.append)
    assert [e.state for e in events] == ["note"], "all but the promotion was done"
    store.verify(number)
    assert store.current() == number
    assert store.numbers() == (*before, number)
    here, there = store.show(number), learned.store.show(learned.release)
    assert here.fingerprint == there.fingerprint
    assert set(here.files) == set(there.files)
    folders = store.path(number), learned.store.path(learned.release)
    assert differing(*folders, list(here.files)) == []
    assert numbers(here.metrics) == pytest.approx(numbers(there.metrics), rel=1e-6)
