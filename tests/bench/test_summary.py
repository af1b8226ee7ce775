"""Rounds are pooled, and their steal is kept."""

from __future__ import annotations

from recsys.bench.cell import Cell, Outcome
from recsys.bench.summary import Run, best_rate


def test_latencies_are_pooled_and_rates_weighted_by_time() -> None:
    run = Run("ensemble", Cell(rows=2))
    run.add(Outcome([1.0, 3.0], seconds=1.0, failed=1, steal_percent=0.0, load_average=1.0), [])
    run.add(Outcome([5.0, 7.0], seconds=3.0, degraded=2, steal_percent=8.0, load_average=3.0, pss_mb=9.0), [])
    found = run.to_json()
    assert (found["requests"], found["failed"], found["degraded"]) == (4, 1, 2)
    assert (found["p50_ms"], found["rounds_p50_ms"]) == (4.0, [2.0, 6.0])
    assert (found["throughput_rps"], found["users_per_s"]) == (1.0, 2.0)
    assert (found["steal_percent"], found["rounds_steal_percent"], found["load_average"]) == (
        4.0,
        [0.0, 8.0],
        2.0,
    )
    assert found["pss_mb"] == 9.0


def test_a_run_without_answers() -> None:
    run = Run("ensemble", Cell())
    run.add(Outcome([], seconds=1.0, failed=3), [])
    assert (run.to_json()["p50_ms"], run.to_json()["throughput_rps"]) == (None, 0.0)


def test_the_best_rate_is_of_closed_loops_with_one_user() -> None:
    runs = []
    for cell, count in ((Cell(), 10), (Cell(concurrency=16), 30), (Cell(rows=16), 90)):
        run = Run("ensemble", cell)
        run.add(Outcome([1.0] * count, seconds=1.0), [])
        runs.append(run)
    assert best_rate(runs) == 30
    assert best_rate([]) == 0


def test_the_best_rate_is_of_the_last_round_alone() -> None:
    run = Run("ensemble", Cell(concurrency=16))
    run.add(Outcome([1.0] * 90, seconds=1.0), [])
    run.add(Outcome([1.0] * 40, seconds=1.0), [])
    assert best_rate([run]) == 40


def test_cpu_and_rates_are_means_over_rounds() -> None:
    run = Run("gateway", Cell(mode="open", concurrency=0, share=0.5), driver="http")
    run.add(Outcome([1.0], seconds=1.0, rate=100.0, cpu_ms={"gateway": 0.5, "triton": 1.0}), [])
    run.add(Outcome([1.0], seconds=1.0, rate=80.0, cpu_ms={"gateway": 0.7, "triton": 2.0}), [])
    found = run.to_json()
    assert (found["rate"], found["share"]) == (90.0, 0.5)
    assert (found["cpu_ms"], found["servers_cpu_ms"]) == ({"gateway": 0.6, "triton": 1.5}, 2.1)
