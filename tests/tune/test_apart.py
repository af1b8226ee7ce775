from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.errors import BadUse
from recsys.tune.apart import apart

PATIENCE_S = 60.0
CALLER = """
import sys
from test_apart import stay
from recsys.tune.apart import apart

if __name__ == "__main__":
    apart(stay, sys.argv[1])
"""


def stay(path: str) -> None:
    """Leaves its process's id and stays until it is ended."""
    Path(path + ".part").write_text(str(os.getpid()), encoding="utf-8")
    Path(path + ".part").replace(path)
    time.sleep(10 * PATIENCE_S)


def fail(name: str) -> None:
    raise BadUse(name, "it cannot be done", "Do without")


def test_a_call_is_made_in_another_process_and_its_error_comes_back() -> None:
    assert apart(os.getpid) != os.getpid()
    with pytest.raises(BadUse, match="cannot be done"):
        apart(fail, "this")


def test_it_ends_with_a_caller_that_is_killed(tmp_path: Path) -> None:
    script, told = tmp_path / "caller.py", tmp_path / "pid"
    script.write_text(CALLER, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    caller = subprocess.Popen([sys.executable, str(script), str(told)], env=environment)
    try:
        _until(told.is_file)
        called = int(told.read_text(encoding="utf-8"))
        assert _lives(called)
    finally:
        caller.send_signal(signal.SIGKILL)
        caller.wait(PATIENCE_S)
    _until(lambda: not _lives(called))


def _lives(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.is_file() and stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)
