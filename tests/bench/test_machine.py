"""The kernel's own numbers, read right."""

from __future__ import annotations

import os
from pathlib import Path

from recsys.bench import machine
from recsys.bench.machine import CpuTimes

BEFORE = "cpu  100 0 50 800 40 0 10 0 0 0\ncpu0 1 2 3\n"
AFTER = "cpu  150 0 60 820 50 0 10 10 5 0\ncpu0 1 2 3\n"


def test_steal_is_a_share_of_all_time_and_guests_count_once(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text(BEFORE)
    before = CpuTimes.read(stat)
    stat.write_text(AFTER)
    after = CpuTimes.read(stat)
    assert after.total - before.total == 100
    assert after.steal_percent(before) == 10.0
    assert after.busy_percent(before) == 60.0
    assert before.steal_percent(before) == 0.0


def test_this_process_has_memory_and_belongs_to_its_group() -> None:
    assert machine.pss_mb([os.getpid()]) > 1
    assert machine.pss_mb([2**22 + 1]) == 0
    assert os.getpid() in machine.group_members(os.getpgid(0))


def test_the_machine_is_described() -> None:
    found = machine.describe()
    assert found["cores"] >= 1
    assert found["cpu"]


def test_cpu_seconds_of_this_process_only_grow() -> None:
    before = machine.cpu_s([os.getpid()])
    sum(range(3_000_000))
    assert machine.cpu_s([os.getpid()]) >= before
    assert machine.cpu_s([2**22 + 1]) == 0  # no such process
