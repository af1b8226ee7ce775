"""What the machine did while something was measured: CPU steal, load, memory of processes."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_PROC: Final = Path("/proc")
_STEAL_FIELD: Final = 7
_TOTAL_FIELDS: Final = 8
"""user, nice, system, idle, iowait, irq, softirq, steal; guest time is part of user (proc(5))."""

_UTIME: Final = 11
"""Place of utime among the fields of /proc/<pid>/stat after the command's name; stime follows."""


@dataclass(frozen=True)
class CpuTimes:
    """Ticks of all cores since the machine started.

    Attributes:
        total: All of them, idle ones too.
        idle: Idle or waiting for a disk.
        steal: In which a core wanted to run and the hypervisor gave its time to others.
    """

    total: int
    idle: int
    steal: int

    @classmethod
    def read(cls, stat: Path = _PROC / "stat") -> CpuTimes:
        """The times until now.

        Args:
            stat: The kernel's file.
        """
        ticks = [int(word) for word in stat.read_text().split("\n", 1)[0].split()[1 : 1 + _TOTAL_FIELDS]]
        return cls(total=sum(ticks), idle=ticks[3] + ticks[4], steal=ticks[_STEAL_FIELD])

    def steal_percent(self, since: CpuTimes) -> float:
        """Share of the cores' time, in percent, that the hypervisor kept since an earlier reading."""
        return _percent(self.steal - since.steal, self.total - since.total)

    def busy_percent(self, since: CpuTimes) -> float:
        """Share of the cores' time, in percent, that was neither idle nor stolen since an earlier reading."""
        total = self.total - since.total
        return _percent(total - (self.idle - since.idle) - (self.steal - since.steal), total)


def load_average() -> float:
    """Processes that ran or wanted to, the mean over the last minute."""
    return round(os.getloadavg()[0], 2)


def pss_mb(pids: Iterable[int]) -> float:
    """Proportional set size of processes in MB (10^6 bytes): shared pages count once among their sharers.

    Args:
        pids: Processes; those that have ended count nothing.
    """
    return round(sum(_pss_kb(pid) for pid in pids) * 1024 / 1e6, 1)


def group_members(group: int) -> list[int]:
    """The processes of a process group.

    Args:
        group: Its number, the pid of its leader.
    """
    found = []
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if int(fields[2]) == group:
            found.append(int(stat.parent.name))
    return sorted(found)


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds of processes, all their threads together, those that have ended too.

    Args:
        pids: Processes; those that have ended count nothing.
    """
    ticks = 0
    for pid in pids:
        try:
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += int(fields[_UTIME]) + int(fields[_UTIME + 1])
    return ticks / os.sysconf("SC_CLK_TCK")


def status_mb(name: str) -> float:
    """A size of this process, in MB (10^6 bytes).

    Args:
        name: As proc(5) has it: VmHWM, the most memory so far, or RssAnon.
    """
    lines = (_PROC / "self" / "status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:")), 0.0)


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended, in seconds."""
    spent = os.times()
    return round(spent.user + spent.system + spent.children_user + spent.children_system, 2)


def describe() -> dict[str, Any]:
    """The machine in a few words: CPU, cores, kernel."""
    lines = (_PROC / "cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
    }


def _pss_kb(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole > 0 else 0.0
