"""What the figures say about each other: ratios between variants measured in the same run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

_Find = Callable[..., float | None]

_DRIVERS: Final = {"floor": "in process", "gateway": "http", "gateway_fused": "http"}
P50: Final = "p50_ms"
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

    entries = [*_against_reference(find), *_against_floor(find), *_own(find, runs, boots)]
    return [entry for entry in entries if entry["value"] is not None]


def _against_reference(find: _Find) -> list[dict[str, Any]]:
    one = {"mode": "closed", "concurrency": 1, "rows": 1}
    sixteen = {**one, "concurrency": 16}
    return [
        _ratio(
            "ensemble: p50 at concurrency 1, reference / ensemble",
            find("reference", P50, **one),
            find("ensemble", P50, **one),
            at_least=7,
        ),
        _ratio(
            "ensemble: requests/s at concurrency 16, ensemble / reference",
            find("ensemble", RPS, **sixteen),
            find("reference", RPS, **sixteen),
            at_least=20,
        ),
        *(
            _ratio(
                f"{name}: requests/s at concurrency 64, through the gateway / reference",
                find(name, RPS, **{**one, "concurrency": 64}),
                find("reference", RPS, **{**one, "concurrency": 64}),
                at_least=40 if name == "gateway" else None,
            )
            for name in ("gateway", "gateway_fused")
        ),
        _ratio(
            "fused: requests/s at concurrency 16, fused / reference",
            find("fused", RPS, **sixteen),
            find("reference", RPS, **sixteen),
        ),
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
        goal: dict[str, float] = {} if name == "reference" else {"at_most": 3}
        title = f"{name}: first request after ready / p50 at concurrency 1"
        entries.append(_ratio(title, boot["first_request_ms"], p50, **goal))
    for name in dict.fromkeys(run["variant"] for run in runs):
        half = [run for run in runs if run["variant"] == name and run["mode"] == "open"]
        if half:
            goal = {"at_most": 4} if name == "ensemble" else {}
            title = f"{name}: p99 / p50 at {half[-1]['rate']:g} requests/s, half of its best"
            entries.append(_ratio(title, half[-1]["p99_ms"], half[-1][P50], **goal))
    return entries


def _ratio(
    name: str,
    above: float | None,
    below: float | None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> dict[str, Any]:
    value = round(above / below, 2) if above is not None and below else None
    met: bool | None = None
    if value is not None and at_least is not None:
        met = value >= at_least
    elif value is not None and at_most is not None:
        met = value <= at_most
    return {"name": name, "value": value, "at_least": at_least, "at_most": at_most, "met": met}
