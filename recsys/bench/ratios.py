"""What the figures say about each other: ratios between variants measured in the same run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from recsys.bench.options import GATEWAYS, PROCESSES, REFERENCES, STATIC_TOWER

_Find = Callable[..., float | None]

_DRIVERS: Final = {"floor": "in process", **dict.fromkeys(GATEWAYS, "http")}
_ENSEMBLES: Final = ("ensemble", PROCESSES)
"""Fourteen models, by where their stages run."""
_JUDGED: Final = (*_ENSEMBLES, "fused")
P50: Final = "p50_ms"
CPU: Final = "servers_cpu_ms"
RPS: Final = "throughput_rps"


def ratios(runs: Sequence[dict[str, Any]], boots: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ratios that both of whose parts were measured.

    Args:
        runs: Of the document.
        boots: Its servers.

    Returns:
        One entry each: name, value, and the goal with whether less or more is better.
    """

    def find(variant: str, key: str, **cell: Any) -> float | None:
        driver = _DRIVERS.get(variant, "grpc")
        wanted = {"variant": variant, "driver": driver, **cell}
        for run in runs:
            if all(run[name] == value for name, value in wanted.items()):
                return None if run[key] is None else float(run[key])
        return None

    entries = [
        *_against_reference(find),
        *_answered_whole(find),
        *_against_floor(find),
        *_of_tower(find),
        *_own(find, runs, boots),
    ]
    return [entry for entry in entries if entry["value"] is not None]


def _against_reference(find: _Find) -> list[dict[str, Any]]:
    """Goals are against the reference; beside it stands one whose Triton may stack waiting requests."""
    one = {"mode": "closed", "concurrency": 1, "rows": 1}
    sixteen, many = {**one, "concurrency": 16}, {**one, "concurrency": 64}
    entries = [
        _ratio(
            f"{name}: p50 at concurrency 1, reference / {name}",
            find("reference", P50, **one),
            find(name, P50, **one),
            at_least=7 if name == "ensemble" else None,
        )
        for name in _ENSEMBLES
    ]
    for name, cell, goal in (
        ("ensemble", sixteen, 20),
        (PROCESSES, sixteen, None),
        ("fused", sixteen, None),
        ("gateway", many, 40),
        ("gateway_processes", many, None),
        ("gateway_fused", many, None),
    ):
        for reference in REFERENCES:
            entries.append(
                _ratio(
                    f"{name}: requests/s at concurrency {cell['concurrency']}, {name} / {reference}",
                    find(name, RPS, **cell),
                    find(reference, RPS, **cell),
                    at_least=goal if reference == "reference" else None,
                )
            )
    return entries


def _of_tower(find: _Find) -> list[dict[str, Any]]:
    """What the session tower costs in the ensemble."""
    one = {"mode": "closed", "concurrency": 1, "rows": 1}
    return [
        _ratio(
            f"session tower: {what}, ensemble / {STATIC_TOWER}",
            find("ensemble", key, **cell),
            find(STATIC_TOWER, key, **cell),
            at_most=1.3,
        )
        for what, key, cell in (
            ("p50 at concurrency 1", P50, one),
            ("CPU a request at concurrency 16", CPU, {**one, "concurrency": 16}),
        )
    ]


def _answered_whole(find: _Find) -> list[dict[str, Any]]:
    """Answers of the gateways that came from a fallback."""
    many = {"mode": "closed", "concurrency": 64, "rows": 1}
    return [
        _entry(
            f"{name}: answers from a fallback at concurrency 64", find(name, "degraded", **many), at_most=0
        )
        for name in GATEWAYS
    ]


def _against_floor(find: _Find) -> list[dict[str, Any]]:
    one = {"mode": "closed", "concurrency": 1, "rows": 1}
    batch = {**one, "rows": 16}
    return [
        _ratio(
            "fused: p50 at concurrency 1, fused / bare process",
            find("fused", P50, **one),
            find("floor", P50, **one),
            at_most=2.5,
        ),
        _ratio(
            "fused: users/s at 16 users a request, fused / bare process",
            find("fused", "users_per_s", **batch),
            find("floor", "users_per_s", **batch),
            at_least=0.7,
        ),
    ]


def _own(
    find: _Find, runs: Sequence[dict[str, Any]], boots: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    entries = []
    for boot in boots:
        name = boot["variant"]
        p50 = find(name, P50, mode="closed", concurrency=1, rows=1)
        judged = name in _JUDGED
        title = f"{name}: first request after ready / p50 at concurrency 1"
        entries.append(_ratio(title, boot["first_request_ms"], p50, at_most=3 if judged else None))
        for what, key, most in (("seconds until ready", "ready_s", 10), ("memory, MB", "pss_mb", 900)):
            entries.append(_entry(f"{name}: {what}", boot.get(key), at_most=most if judged else None))
    for name in dict.fromkeys(run["variant"] for run in runs):
        for half in (run for run in runs if run["variant"] == name and run["share"]):
            title = f"{name}: p99 / p50 at {half['share']:.0%} of its best, {half['rate']:g} requests/s"
            goal = 4 if name in _ENSEMBLES else None
            entries.append(_ratio(title, half["p99_ms"], half[P50], at_most=goal))
    return entries


def _ratio(
    name: str,
    above: float | None,
    below: float | None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> dict[str, Any]:
    value = round(above / below, 2) if above is not None and below else None
    return _entry(name, value, at_least, at_most)


def _entry(
    name: str, value: float | None, at_least: float | None = None, at_most: float | None = None
) -> dict[str, Any]:
    met: bool | None = None
    if value is not None and at_least is not None:
        met = value >= at_least
    elif value is not None and at_most is not None:
        met = value <= at_most
    return {"name": name, "value": value, "at_least": at_least, "at_most": at_most, "met": met}
