"""Ratios are of the right figures, and say themselves whether a goal is met."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recsys.bench.cell import Cell
from recsys.bench.ratios import ratios

RunOf = Callable[..., dict[str, Any]]


def found(runs: list[dict[str, Any]], boots: list[dict[str, Any]] | None = None) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in ratios(runs, boots or [])}


@pytest.mark.parametrize(("name", "is_judged"), [("ensemble", True), ("ensemble_processes", False)])
def test_against_the_reference(run_of: RunOf, name: str, is_judged: bool) -> None:
    sixteen = Cell(concurrency=16)
    entries = found(
        [
            run_of(name, 10.0),
            run_of("reference", 100.0),
            run_of(name, 20.0, sixteen),
            run_of("reference", 250.0, sixteen),
        ]
    )
    slower = entries[f"{name}: p50 at concurrency 1, reference / {name}"]
    assert slower["value"] == 10.0
    assert (slower.get("at_least"), slower.get("met")) == ((7, True) if is_judged else (None, None))
    more = entries[f"{name}: requests/s at concurrency 16, {name} / reference"]
    assert (more["value"], more.get("met")) == (12.5, False if is_judged else None)


def test_against_the_floor(run_of: RunOf) -> None:
    batch = Cell(rows=16)
    entries = found(
        [
            run_of("fused", 6.0),
            run_of("floor", 2.0, driver="in process"),
            run_of("fused", 20.0, batch),
            run_of("floor", 10.0, batch, driver="in process"),
        ]
    )
    assert entries["fused: p50 at concurrency 1, fused / bare process"]["met"] is False
    users = entries["fused: users/s at 16 users a request, fused / bare process"]
    assert (users["value"], users["met"]) == (0.5, False)


def test_another_driver_is_not_mixed_in(run_of: RunOf) -> None:
    runs = [run_of("ensemble", 1.0, driver="perf_analyzer"), run_of("reference", 10.0)]
    assert found(runs) == {}


def test_first_request_and_half_load(run_of: RunOf) -> None:
    half = Cell(mode="open", concurrency=0, share=0.5)
    boot = {"variant": "ensemble", "first_request_ms": 25.0, "ready_s": 11.0, "pss_mb": 430.0}
    entries = found([run_of("ensemble", 10.0), run_of("ensemble", 8.0, half)], [boot])
    assert entries["ensemble: first request after ready / p50 at concurrency 1"]["value"] == 2.5
    assert entries["ensemble: p99 / p50 at 50% of its best, 0 requests/s"]["value"] == 1.0
    assert entries["ensemble: seconds until ready"]["met"] is False
    assert entries["ensemble: memory, MB"]["met"] is True


def test_goals_are_against_the_reference_as_published(run_of: RunOf) -> None:
    many = Cell(concurrency=64)
    entries = found(
        [
            run_of("gateway", 2.0, many, driver="http"),
            run_of("reference", 100.0, many),
            run_of("reference_batched", 50.0, many),
        ]
    )
    published = entries["gateway: requests/s at concurrency 64, gateway / reference"]
    stacked = entries["gateway: requests/s at concurrency 64, gateway / reference_batched"]
    assert (published["value"], published["met"]) == (50.0, True)
    assert (stacked["value"], stacked["met"]) == (25.0, None)
    assert entries["gateway: answers from a fallback at concurrency 64"]["met"] is True


def test_the_session_tower_is_compared_with_a_static_one(run_of: RunOf) -> None:
    entries = found([run_of("ensemble", 6.0), run_of("ensemble_static", 5.0)])
    assert entries["session tower: p50 at concurrency 1, ensemble / ensemble_static"]["met"] is True
