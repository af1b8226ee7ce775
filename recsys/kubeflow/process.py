"""One step's process: its output line by line, its memory, and its end when the pipeline ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_GUARD = "import os,signal,sys; sys.stdin.read(); os.killpg(int(sys.argv[1]), signal.SIGKILL)"


@dataclass(frozen=True)
class Exit:
    """How a step's process ended.

    Attributes:
        code: Its exit code, 128 + n for signal n.
        peak_mib: The most memory that its processes held together, in MiB, as sampled: their resident
            sizes added up, so pages they share count for each.
    """

    code: int
    peak_mib: int


def run_process(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], on_line: Callable[[str], None]
) -> Exit:
    """Runs a command to its end, with its descendants in a session of their own.

    They do not outlive the caller: an exception here, Ctrl-C included, kills them, and
    a guard process does so when the caller itself is killed.

    Args:
        command: Program and arguments.
        cwd: Where it runs.
        environment: All of its environment.
        on_line: Given each line of its output, standard error included.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        bufsize=1,
        start_new_session=True,
    )
    guard = _start_guard(process.pid)
    memory = _MemoryWatch(process.pid)
    memory.start()
    try:
        assert process.stdout is not None  # noqa: S101  (asked for above; for the type checker)
        with process.stdout:
            for line in process.stdout:
                on_line(line)
        code = process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        guard.kill()
        guard.communicate()
        memory.stop()
    return Exit(code if code >= 0 else 128 - code, memory.peak_kib // 1024)


def _start_guard(group: int) -> subprocess.Popen[bytes]:
    """Waits for the end of its standard input, which the caller's death closes, then kills the group."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _GUARD, str(group)], stdin=subprocess.PIPE, start_new_session=True
    )


class _MemoryWatch(threading.Thread):
    """Samples how much memory a process group holds.

    The kernel's own count for ended children will not do: it starts from the size of the caller, which
    a child shares for the moment between fork and exec.
    """

    def __init__(self, group: int, interval_s: float = 0.2) -> None:
        super().__init__(name=f"memory-{group}", daemon=True)
        self.peak_kib = 0
        self._group = group
        self._interval_s = interval_s
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            held = sum(_resident_kib(p) for p in Path("/proc").glob("[0-9]*") if self._is_in_group(p))
            self.peak_kib = max(self.peak_kib, held)

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def _is_in_group(self, process: Path) -> bool:
        try:
            return os.getpgid(int(process.name)) == self._group
        except ProcessLookupError:
            return False


def _resident_kib(process: Path) -> int:
    """Resident size of a process from its folder in /proc, 0 once it is gone."""
    try:
        pages = int((process / "statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024
