"""Background processes that outlive the command which started them.

A process is known by its pid and its start time, so that a pid which the kernel has since given
to somebody else is never signalled.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import RecsysError

_POLL_S = 0.02


@dataclass(frozen=True)
class Process:
    """A process of ours, which may have ended.

    Attributes:
        pid: Process id; also its process group and session, see `spawn`.
        start_ticks: Start time in clock ticks since boot (proc(5), `starttime`).
    """

    pid: int
    start_ticks: int

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        stat = _stat(self.pid)
        return stat is not None and stat.start_ticks == self.start_ticks and stat.state not in "ZX"

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the process and what it started: SIGTERM, then SIGKILL when the time is over.

        Args:
            timeout_s: How long it may take to end by itself, in seconds.
        """
        if self.alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            self.wait(timeout_s)
        self._kill_group()
        self.wait(timeout_s)
        self._reap()

    def wait(self, timeout_s: float) -> None:
        """Wait until it has ended, at most so many seconds."""
        deadline = time.monotonic() + timeout_s
        while self.alive() and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _kill_group(self) -> None:
        """Kill what is left of the group, also when its leader was killed before (`kill -9`)."""
        stat = _stat(self.pid)
        if stat is not None and stat.start_ticks != self.start_ticks:
            return  # The pid is somebody else's now, so our group is empty.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _reap(self) -> None:
        # Only the parent can; a process started by an earlier command is init's to reap.
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)


@dataclass(frozen=True)
class _Stat:
    state: str
    start_ticks: int


def _stat(pid: int) -> _Stat | None:
    """State and start time from /proc/<pid>/stat; None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # The name before ")" may hold blanks.
    return _Stat(state=fields[0], start_ticks=int(fields[19]))


def find(pid: int) -> Process | None:
    """The running process with this pid, or None."""
    stat = _stat(pid)
    return None if stat is None else Process(pid, stat.start_ticks)


def spawn(
    command: Sequence[str | Path],
    log_file: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Process:
    """Start a process in a session of its own, so that Ctrl-C in the terminal does not reach it.

    Args:
        command: Program and arguments.
        log_file: Where stdout and stderr are appended.
        env: The whole environment; None for this process's own.
        cwd: Working directory; None for this process's own.

    Returns:
        The started process; nothing says yet that it is ready.

    Raises:
        RecsysError: The program cannot be started.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log_file.open("ab") as log:
            child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )
    except OSError as error:
        raise RecsysError(
            str(command[0]), f"cannot be started ({error.strerror})", "See `recsys doctor`"
        ) from error
    # Popen must not wait for it (ResourceWarning when collected): the process outlives this object.
    child.returncode = 0
    stat = _stat(child.pid)
    return Process(child.pid, stat.start_ticks if stat else -1)


def last_line(log_file: Path, begin: int = 0) -> str:
    """The last line of a log that is not empty.

    Args:
        log_file: The log; it need not be there.
        begin: Byte from which on it is of interest.

    Returns:
        The line, "ended without a word" when there is none.
    """
    size = size_of(log_file)
    if size > begin:
        with log_file.open("rb") as log:
            log.seek(max(begin, size - 8192))
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines()]
        for line in reversed(lines):
            if line:
                return line
    return "ended without a word"


def size_of(log_file: Path) -> int:
    """Bytes in a log so far: where the next process's part of it begins."""
    return log_file.stat().st_size if log_file.is_file() else 0
