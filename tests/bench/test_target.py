"""A user's answer costs what the processes behind it spent in between."""

from __future__ import annotations

from recsys.bench.statistics import ModelCounts
from recsys.bench.target import Reading


def test_cpu_is_by_user_not_by_call() -> None:
    before = Reading({"ensemble_model": ModelCounts(requests=1, rows=10)}, {"triton": 1.0, "valkey": 0.5})
    after = Reading({"ensemble_model": ModelCounts(requests=2, rows=50)}, {"triton": 1.2, "valkey": 0.5})
    assert after.cpu_ms_since(before) == {"triton": 5.0, "valkey": 0.0}


def test_without_users_there_is_no_cost_of_one() -> None:
    reading = Reading({}, {"triton": 1.0})
    assert reading.cpu_ms_since(reading) == {}
