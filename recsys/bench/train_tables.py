"""The figures of a training benchmark as rows of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from recsys.bench.tables import Rows, figure

_STEP: Final = {
    "seconds": "s",
    "cpu_s": "CPU s",
    "rows_per_s": "rows/s",
    "peak_mb": "peak MB",
    "beside_arithmetic_percent": "not arithmetic %",
    "steal_percent": "steal %",
    "load_average": "load",
}
_TOTAL: Final = {
    "seconds": "s",
    "cpu_s": "CPU s",
    "microseconds_a_row": "µs a row",
    "cpu_microseconds_a_row": "CPU µs a row",
    "peak_mb": "peak MB",
}
_GROWTH: Final = {"seconds": "s", "cpu_s": "CPU s", "peak_mb": "peak MB"}


def step_rows(runs: Sequence[dict[str, Any]]) -> Rows:
    """One row for each step at each size.

    Args:
        runs: Of the document.
    """
    rows = [(run["step"], f"{run['rows']:,}", *(figure(run[key]) for key in _STEP)) for run in runs]
    return ("step", "rows", *_STEP.values()), rows


def total_rows(totals: Sequence[dict[str, Any]]) -> Rows:
    """One row for each size.

    Args:
        totals: Of the document.
    """
    rows = [(f"{one['rows']:,}", *(figure(one[key]) for key in _TOTAL)) for one in totals]
    return ("rows", *_TOTAL.values()), rows


def growth_rows(growth: Sequence[dict[str, Any]]) -> Rows:
    """The exponents of each step.

    Args:
        growth: Of the document.
    """
    rows = [(one["step"], *(figure(one[key]) for key in _GROWTH)) for one in growth]
    return ("step", *_GROWTH.values()), rows
