"""A pipeline that is killed in every step and started again ends with what an undisturbed one makes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from factories.trained import differing, numbers

from recsys.kubeflow import StepEvent, run_full
from recsys.release.store import ReleaseStore
from recsys.settings import Settings

pytestmark = pytest.mark.functional

_STEPS = 12
_SILENT = {"assemble release", "publish", "remeasure"}
"""Steps too short to say how far they are: killed as they start."""

_PLACES = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
"""Where a new process finds this file and the tests' factories."""


def _run_until(step: int, data: Path, home: Path) -> None:
    """Runs the pipeline and kills this very process in the middle of a step."""

    def kill(event: StepEvent) -> None:
        if event.index == step and (event.state == "progress" or event.step in _SILENT):
            os.kill(os.getpid(), signal.SIGKILL)

    run_full(data, home, Settings(), kill)


def test_killed_in_each_step_and_run_again(trained: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for step in range(1, _STEPS + 1):
        code = (
            f"import sys; sys.path[:0] = {_PLACES!r}; from pathlib import Path;"
            f"import test_killed as t; t._run_until({step}, Path({str(trained.data)!r}), Path({str(home)!r}))"
        )
        ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=300)
        assert ended.returncode == -signal.SIGKILL, f"not killed in step {step}"
        assert not ReleaseStore(home / "releases").numbers()

    events: list[StepEvent] = []
    number = run_full(trained.data, home, Settings(), events.append)
    assert {e.step for e in events if e.state == "done"} == {"take current", "publish"}
    store = ReleaseStore(home / "releases")
    store.verify(number)
    assert (number, store.current()) == (1, 1)
    here, there = store.show(number), trained.store.show(trained.release)
    assert here.fingerprint == there.fingerprint
    assert set(here.files) == set(there.files)
    folders = store.path(number), trained.store.path(trained.release)
    assert differing(*folders, list(here.files)) == []
    assert numbers(here.metrics) == pytest.approx(numbers(there.metrics), rel=1e-6)
