"""The measured time of one cell: what fell into it, and what the machine did meanwhile."""

from __future__ import annotations

import os
import time
from typing import Final

from recsys.bench import machine
from recsys.bench.cell import Outcome, Plan

_STRETCH: Final = 8.0
"""A cell of slow answers goes on for at most so many times its length, to meet at least a few of them."""


class Window:
    """Collects answers from the end of the warm-up on.

    Args:
        plan: How long, and how many at most.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._least = 2 * max(1, plan.cell.concurrency)
        self._begin = time.perf_counter() + plan.warm_up_s
        self._end = self._begin + plan.seconds
        self._latest = self._begin + plan.seconds * _STRETCH
        self._latencies_ms: list[float] = []
        self._failed = 0
        self._degraded = 0
        self._cpu = machine.CpuTimes.read()
        self._process_s = time.process_time()
        self._opened = False

    def is_over(self) -> bool:
        """Whether nothing more is to be asked."""
        now = time.perf_counter()
        if not self._opened and now >= self._begin:
            self._open(now)
        count = len(self._latencies_ms)
        if count >= self._plan.most_requests or now >= self._latest:
            return True
        return now >= self._end and count + self._failed >= self._least

    def answered(self, began: float, degraded: bool) -> None:
        """Count an answer that has just come.

        Args:
            began: Moment of `time.perf_counter` from which on it was waited for.
            degraded: Whether a part of it came from a fallback.
        """
        if self._opened:
            self._latencies_ms.append((time.perf_counter() - began) * 1e3)
            self._degraded += degraded

    def failed(self) -> None:
        """Count a request that got no answer."""
        self._failed += self._opened

    def close(self, pss: bool = False) -> Outcome:
        """End the measured time.

        Args:
            pss: Whether this process's memory is of interest.
        """
        seconds = time.perf_counter() - self._begin
        cpu = machine.CpuTimes.read()
        return Outcome(
            latencies_ms=[round(value, 4) for value in self._latencies_ms],
            seconds=round(max(seconds, 1e-9), 4),
            failed=self._failed,
            degraded=self._degraded,
            steal_percent=cpu.steal_percent(self._cpu),
            busy_percent=cpu.busy_percent(self._cpu),
            load_average=machine.load_average(),
            sender_cpu_percent=round(100 * (time.process_time() - self._process_s) / max(seconds, 1e-9), 1),
            pss_mb=machine.pss_mb([os.getpid()]) if pss else None,
        )

    def _open(self, now: float) -> None:
        self._opened = True
        self._begin = now
        self._cpu = machine.CpuTimes.read()
        self._process_s = time.process_time()
