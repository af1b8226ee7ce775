from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from recsys.errors import RecsysError
from recsys.local import process

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


def test_stop_ends_it(tmp_path: Path) -> None:
    started = process.spawn(SLEEP, tmp_path / "log")
    assert started.alive()
    started.stop()
    assert not started.alive()


def test_a_pid_that_is_somebody_elses_now_is_left_alone(tmp_path: Path) -> None:
    other = process.spawn(SLEEP, tmp_path / "log")
    ours_before = replace(other, start_ticks=other.start_ticks - 100)
    assert not ours_before.alive()
    ours_before.stop(timeout_s=0.1)
    assert other.alive()
    other.stop()


def test_a_process_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = process.spawn([sys.executable, "-c", DEAF], tmp_path / "log")
    while process.last_line(tmp_path / "log") != "up":
        assert deaf.alive()
    deaf.stop(timeout_s=0.2)
    assert not deaf.alive()


def test_children_of_a_killed_process_are_stopped_too(tmp_path: Path) -> None:
    program = (
        f"import subprocess; print(subprocess.Popen({SLEEP!r}).pid, flush=True); import time; time.sleep(60)"
    )
    parent = process.spawn([sys.executable, "-c", program], tmp_path / "log")
    while not (printed := process.last_line(tmp_path / "log")).isdigit():
        assert parent.alive()
    child = process.find(int(printed))
    assert child is not None
    os.kill(parent.pid, signal.SIGKILL)
    assert child.alive()
    parent.stop()
    child.wait(5)
    assert not child.alive()


def test_a_program_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        RecsysError, match=r"^/no/such/program: cannot be started \(No such file or directory\)"
    ):
        process.spawn(["/no/such/program"], tmp_path / "log")


def test_no_log_is_no_word(tmp_path: Path) -> None:
    assert process.last_line(tmp_path / "missing") == "ended without a word"


def test_the_last_line_is_of_this_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\nold error\n\n")
    begun = process.size_of(log)
    assert process.last_line(log) == "old error"
    assert process.last_line(log, begun) == "ended without a word"
    log.write_text(log.read_text() + "new error\n \n")
    assert process.last_line(log, begun) == "new error"
