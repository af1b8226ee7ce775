from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsys.kubeflow.process import run_process


def _run(code: str, cwd: Path, lines: list[str] | None = None) -> tuple[int, int]:
    said: list[str] = [] if lines is None else lines
    ended = run_process(
        [sys.executable, "-c", code], cwd=cwd, environment=dict(os.environ), on_line=said.append
    )
    return ended.code, ended.peak_mib


def test_lines_of_both_outputs_and_the_exit_code(tmp_path: Path) -> None:
    lines: list[str] = []
    code = "import os, sys; print(os.getcwd(), flush=True); print('bad', file=sys.stderr); sys.exit(3)"
    assert _run(code, tmp_path, lines)[0] == 3
    assert lines == [f"{tmp_path}\n", "bad\n"]


def test_peak_memory_is_that_of_all_its_processes(tmp_path: Path) -> None:
    held = "import time; b = bytes([1]) * (100 << 20); time.sleep(1)"
    other = f"p = subprocess.Popen([sys.executable, '-c', {held!r}])"
    two = f"import subprocess, sys; {other}; {held}; p.wait()"
    assert 200 <= _run(two, tmp_path)[1] < 260


def test_signal_is_told_as_a_shell_does(tmp_path: Path) -> None:
    assert _run("import os; os.kill(os.getpid(), 9)", tmp_path)[0] == 128 + 9


def _wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rsplit(")")[-1].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")


_SLEEPER = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def test_an_exception_ends_the_process(tmp_path: Path) -> None:
    pids: list[int] = []

    def stop(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_process(
            [sys.executable, "-c", _SLEEPER], cwd=tmp_path, environment=dict(os.environ), on_line=stop
        )
    _wait_gone(pids[0])


def test_a_killed_caller_takes_its_grandchildren_along(tmp_path: Path) -> None:
    caller = (
        "import os, sys; from pathlib import Path; from recsys.kubeflow.process import run_process;"
        f"run_process(['sh', '-c', '{sys.executable} -c \"$0\"; true', {_SLEEPER!r}],"
        " cwd=Path.cwd(), environment=dict(os.environ), on_line=lambda line: print(line, end='', flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", caller], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        sleeper = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        _wait_gone(sleeper)
