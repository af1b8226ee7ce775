"""The figures of a serving benchmark as rows of text, for the terminal and the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from recsys.bench.cell import Cell

Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Names of columns, and rows under them."""

_FIGURES: Final = {
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
    "p99_9_ms": "p99.9 ms",
    "throughput_rps": "req/s",
    "users_per_s": "users/s",
    "failed": "failed",
    "degraded": "fallbacks",
    "servers_cpu_ms": "CPU ms a user",
    "steal_percent": "steal %",
    "load_average": "load",
}
RIGHT: Final = tuple(_FIGURES.values())


def run_rows(runs: Sequence[dict[str, Any]]) -> Rows:
    """One row for each variant in each case.

    Args:
        runs: Of the document.
    """
    columns = ("asked", "variant", *_FIGURES.values())
    rows = [
        (label(run), _who(run), *(figure(run[key]) for key in _FIGURES)) for run in sorted(runs, key=_order)
    ]
    return columns, rows


def server_rows(servers: Sequence[dict[str, Any]]) -> Rows:
    """What starting each variant took.

    Args:
        servers: Of the document.
    """
    columns = ("variant", "ready s", "first request ms", "memory MB (PSS)", "processes", "steal %", "load")
    keys = ("ready_s", "first_request_ms", "pss_mb", "processes", "steal_percent", "load_average")
    return columns, [(one["variant"], *(figure(one[key]) for key in keys)) for one in servers]


def ranker_rows(ranker: Sequence[dict[str, Any]]) -> Rows:
    """The ranker alone.

    Args:
        ranker: Of the document.
    """
    columns = ("form", "candidates", "least ms", "p50 ms", "p99 ms", "difference", "steal %", "load")
    keys = ("candidates", "least_ms", "p50_ms", "p99_ms", "difference", "steal_percent", "load_average")
    return columns, [(one["form"], *(figure(one[key]) for key in keys)) for one in ranker]


def ratio_rows(ratios: Sequence[dict[str, Any]]) -> Rows:
    """The ratios beside their goals.

    Args:
        ratios: Of the document.
    """
    rows: list[tuple[str, ...]] = []
    for one in ratios:
        bounds = {"≥": one["at_least"], "≤": one["at_most"]}
        goal = next((f"{sign} {bound:g}" for sign, bound in bounds.items() if bound is not None), "")
        verdict = "" if one["met"] is None else "met" if one["met"] else "missed"
        rows.append((one["name"], figure(one["value"]), goal, verdict))
    return ("", "value", "goal", "verdict"), rows


def verdict(ratios: Sequence[dict[str, Any]]) -> str:
    """How many of the goals are met, in a line.

    Args:
        ratios: Of the document.
    """
    judged = [one for one in ratios if one["met"] is not None]
    return f"Goals met: {sum(one['met'] for one in judged)} of {len(judged)}"


def stage_rows(run: dict[str, Any]) -> Rows:
    """What Triton counted at each model.

    Args:
        run: One run of the document.
    """
    columns = ("model", "queue µs", "compute µs", "input µs", "infer µs", "output µs", "rows an execution")
    keys = (
        "queue_us",
        "compute_us",
        "compute_input_us",
        "compute_infer_us",
        "compute_output_us",
        "rows_per_execution",
    )
    return columns, [(stage["model"], *(figure(stage[key]) for key in keys)) for stage in run["stages"]]


def label(run: dict[str, Any]) -> str:
    """How requests were sent, in words."""
    return Cell(run["mode"], run["concurrency"], run["rows"], run["rate"], run["share"]).label


def figure(value: float | None) -> str:
    """A number with three significant figures or all its whole ones; nothing where there is none."""
    if value is None:
        return "–"
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _who(run: dict[str, Any]) -> str:
    return run["variant"] if run["driver"] != "perf_analyzer" else f"{run['variant']} (perf_analyzer)"


def _order(run: dict[str, Any]) -> tuple[Any, ...]:
    return (run["mode"], run["rows"], run["concurrency"], run["rate"])
