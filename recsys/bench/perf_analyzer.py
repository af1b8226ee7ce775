"""NVIDIA's perf_analyzer, where it is installed and can run: a second opinion on the closed loop."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from recsys.bench import machine
from recsys.bench.cell import Outcome, Plan
from recsys.errors import RecsysError

_WINDOWS: Final = 3
"""perf_analyzer calls a rate stable after three windows; it is given no more."""
_PROBE_S: Final = 10.0


def find() -> Path | None:
    """The program, if it is installed and starts.

    The wheel `tritonclient` carries it without the libraries libb64 and libcudart that it needs; it needs
    no GPU.
    """
    beside = Path(sys.executable).parent / "perf_analyzer"
    program = str(beside) if beside.is_file() else shutil.which("perf_analyzer")
    if program is None:
        return None
    try:
        probe = subprocess.run([program, "--version"], capture_output=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(program) if probe.returncode == 0 else None


def run(program: Path, plan: Plan) -> Outcome:
    """Carry out a closed-loop plan.

    Args:
        program: What `find` gave.
        plan: A closed loop; the warm-up is left to whoever measured before.

    Raises:
        RecsysError: perf_analyzer failed or did not end in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        data, export = Path(folder, "users.json"), Path(folder, "profile.json")
        data.write_text(json.dumps(_input_data(plan)))
        cpu = machine.CpuTimes.read()
        line = [
            *(str(program), "-m", plan.model, "-u", plan.target, "-i", "grpc", "--async"),
            *("--concurrency-range", str(plan.cell.concurrency), "-b", str(plan.cell.rows)),
            *("-p", str(int(plan.seconds / _WINDOWS * 1000)), "-r", str(_WINDOWS), "-s", "999"),
            *("--input-data", str(data), "--profile-export-file", str(export)),
        ]
        limit_s = 10 * plan.seconds + plan.timeout_s + 60
        try:
            done = subprocess.run(
                line, capture_output=True, text=True, timeout=limit_s, check=False, cwd=folder
            )
        except subprocess.TimeoutExpired as error:
            raise RecsysError(
                "perf_analyzer", f"did not end within {limit_s:g} s", "Measure without it"
            ) from error
        if done.returncode != 0 or not export.is_file():
            words = (done.stderr or done.stdout).strip().splitlines()
            raise RecsysError("perf_analyzer", words[-1] if words else "failed", "Measure without it")
        return _outcome(json.loads(export.read_text()), cpu)


def missing() -> str:
    """Why it is not used, in one line."""
    lacking = [name for name in ("libb64.so.0d", "libcudart.so.12") if not _loadable(name)]
    return f"perf_analyzer lacks {', '.join(lacking)}" if lacking else "perf_analyzer is not installed"


def _loadable(library: str) -> bool:
    import ctypes

    try:
        ctypes.CDLL(library, mode=os.RTLD_LAZY)
    except OSError:
        return False
    return True


def _input_data(plan: Plan) -> dict[str, Any]:
    return {"data": [{"user_id": {"content": [user], "shape": [1]}} for user in plan.users]}


def _outcome(profile: dict[str, Any], cpu: machine.CpuTimes) -> Outcome:
    """The exported requests: moments in nanoseconds of each request and of its answers."""
    requests = [
        (each["timestamp"], each["response_timestamps"][-1])
        for experiment in profile["experiments"]
        for each in experiment["requests"]
        if each["response_timestamps"]
    ]
    moments = np.array(requests, np.int64).reshape(-1, 2)
    after = machine.CpuTimes.read()
    seconds = (moments[:, 1].max() - moments[:, 0].min()) / 1e9 if len(moments) else 0.0
    return Outcome(
        latencies_ms=np.round((moments[:, 1] - moments[:, 0]) / 1e6, 4).tolist(),
        seconds=float(seconds),
        steal_percent=after.steal_percent(cpu),
        busy_percent=after.busy_percent(cpu),
        load_average=machine.load_average(),
    )
