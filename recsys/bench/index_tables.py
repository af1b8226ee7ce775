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
    "loaded_mb": "loaded MB",
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
        figures = (figure(run[key]) for key in _FIGURES)
        rows.append((name, f"{run['items']:,}", *figures, _words(run["parameters"])))
    return ("kind", "items", *_FIGURES.values(), "effort"), rows


def growth_rows(growth: Sequence[dict[str, Any]]) -> Rows:
    """The exponents of each kind.

    Args:
        growth: Of the document.
    """
    rows = [(one["kind"], *(figure(one[key]) for key in _GROWTH)) for one in growth]
    return ("kind", *_GROWTH.values()), rows


def frontier_rows(runs: Sequence[dict[str, Any]]) -> Rows:
    """Recall against time, one row for each effort of each kind that knows any.

    Args:
        runs: Of the document.
    """
    rows: list[tuple[str, ...]] = [
        (
            run["kind"],
            f"{run['items']:,}",
            _words(one["effort"]),
            figure(one["recall"]),
            figure(one["cpu_ms"]),
        )
        for run in runs
        for one in run["frontier"]
    ]
    return ("kind", "items", "effort", "recall", "CPU ms a query"), rows


def filtered_rows(runs: Sequence[dict[str, Any]]) -> Rows:
    """Recall and time with masks, one row for each share of the items that one allows.

    Args:
        runs: Of the document.
    """
    figures = ("allowed", "recall", "cpu_ms", "unfiltered_cpu_ms")
    rows = [
        (run["kind"], f"{run['items']:,}", f"{one['share']:.1%}", *(figure(one[key]) for key in figures))
        for run in runs
        for one in run["filtered"]
    ]
    names = ("kind", "items", "allowed", "items allowed", "recall", "CPU ms a query", "without a mask")
    return names, rows


def _words(effort: dict[str, int]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in effort.items() if key in _EFFORT)


_EFFORT: Final = ("probes", "refine_factor", "ef_search")
