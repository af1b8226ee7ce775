"""The figures of an index benchmark as rows of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from recsys.bench.tables import Rows, figure

_FIGURES: Final = {
    "recall": "recall",
    "cpu_ms": "CPU ms a query",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "build_cpu_s": "build CPU s",
    "index_mb": "index MB",
    "build_peak_mb": "build peak MB",
    "steal_percent": "steal %",
    "load_average": "load",
}
_GROWTH: Final = {"cpu_ms": "CPU ms a query", "build_cpu_s": "build CPU s", "index_mb": "index MB"}


def index_rows(runs: Sequence[dict[str, Any]]) -> Rows:
    """One row for each kind at each size, with the effort that it was tuned to.

    Args:
        runs: Of the document.
    """
    rows = []
    for run in runs:
        name = run["kind"] if run["kind"] == run["chosen"] else f"{run['kind']}: {run['chosen']}"
        effort = ", ".join(f"{key} {value}" for key, value in run["parameters"].items() if key in _EFFORT)
        rows.append((name, f"{run['items']:,}", *(figure(run[key]) for key in _FIGURES), effort))
    return ("kind", "items", *_FIGURES.values(), "effort"), rows


def growth_rows(growth: Sequence[dict[str, Any]]) -> Rows:
    """The exponents of each kind.

    Args:
        growth: Of the document.
    """
    rows = [(one["kind"], *(figure(one[key]) for key in _GROWTH)) for one in growth]
    return ("kind", *_GROWTH.values()), rows


_EFFORT: Final = ("probes", "ef_search")
