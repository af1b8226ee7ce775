"""A pipeline that is killed in every step and started again ends with what an undisturbed one makes."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

from recsys import schema
from recsys.kubeflow import StepEvent, run_full
from recsys.release.store import ReleaseStore
from recsys.settings import Settings

pytestmark = pytest.mark.functional

_STEPS = 10
_SILENT = {"assemble release", "publish"}
"""Steps too short to say how far they are: killed as they start."""

_NOT_REPEATED = {schema.INDEX_META_FILE}
"""Says how long the index took to build."""


def _run_until(step: int, data: Path, home: Path) -> None:
    """Runs the pipeline and kills this very process in the middle of a step."""

    def kill(event: StepEvent) -> None:
        if event.index == step and (event.state == "progress" or event.step in _SILENT):
            os.kill(os.getpid(), signal.SIGKILL)

    run_full(data, home, Settings(), kill)


def _content(release: Path, name: str) -> str:
    """What a release's file says: of an ONNX file the weights, since the names of its constants vary."""
    path = release / name
    if path.suffix != ".onnx":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    tensors = sorted(one.raw_data for one in onnx.load(path).graph.initializer)
    return hashlib.sha256(b"".join(tensors)).hexdigest()


def test_killed_in_each_step_and_run_again(trained: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for step in range(1, _STEPS + 1):
        code = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from pathlib import Path;"
            f"import test_killed as t; t._run_until({step}, Path({str(trained.data)!r}), Path({str(home)!r}))"
        )
        ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=300)
        assert ended.returncode == -signal.SIGKILL, f"not killed in step {step}"
        assert not ReleaseStore(home / "releases").numbers()

    events: list[StepEvent] = []
    number = run_full(trained.data, home, Settings(), events.append)
    assert [e.step for e in events if e.state == "done"] == ["publish"]
    store = ReleaseStore(home / "releases")
    store.verify(number)
    assert (number, store.current()) == (1, 1)
    here, there = store.show(number), trained.store.show(trained.release)
    assert here.fingerprint == there.fingerprint
    assert set(here.files) == set(there.files)
    compared = [n for n in here.files if n not in _NOT_REPEATED and not n.startswith("savedmodels/")]
    different = [
        name
        for name in compared
        if _content(store.path(number), name) != _content(trained.store.path(trained.release), name)
    ]
    assert different == []
    assert _metrics(here.metrics) == pytest.approx(_metrics(there.metrics), rel=1e-6)


def _metrics(value: Any, path: str = "") -> dict[str, float]:
    """All numbers of an evaluation by their path."""
    if isinstance(value, dict):
        return {k: v for name, one in value.items() for k, v in _metrics(one, f"{path}.{name}").items()}
    return {path: float(value)} if isinstance(value, int | float) else {}
