"""What counts into a measurement and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from recsys.bench import window
from recsys.bench.cell import Plan
from recsys.bench.window import Window


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    mine = Clock()
    monkeypatch.setattr(window.time, "perf_counter", mine)
    yield mine


def test_the_warm_up_counts_nothing(plan: Plan, clock: Clock) -> None:
    made = Window(replace(plan, warm_up_s=2, seconds=10))
    assert not made.is_over()
    made.answered(99.9, degraded=True)
    made.failed()
    clock.now = 102.5
    assert not made.is_over()
    made.answered(102.4, degraded=False)
    clock.now = 103.5
    outcome = made.close()
    assert outcome.latencies_ms == [pytest.approx(100)]
    assert (outcome.failed, outcome.degraded) == (0, 0)
    assert outcome.seconds == pytest.approx(1.0)  # from the first look after the warm-up on


def test_it_ends_by_count(plan: Plan, clock: Clock) -> None:
    made = Window(replace(plan, most_requests=2, seconds=10))
    assert not made.is_over()
    for _ in range(2):
        made.answered(clock.now, degraded=True)
    assert made.is_over()
    assert made.close().degraded == 2


def test_slow_answers_prolong_it_but_not_for_ever(plan: Plan, clock: Clock) -> None:
    made = Window(replace(plan, seconds=1))
    made.is_over()
    clock.now += 1.5
    assert not made.is_over()
    made.answered(clock.now, degraded=False)
    made.failed()
    assert made.is_over()  # two for one caller are enough
    slow = Window(replace(plan, seconds=1))
    slow.is_over()
    clock.now += 9
    assert slow.is_over()


def test_memory_only_where_asked(plan: Plan) -> None:
    assert Window(plan).close().pss_mb is None
    assert (Window(plan).close(pss=True).pss_mb or 0) > 1
