"""What a fault drill found, and how it is printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.online.drill_load import Asked

LIMIT_S = 0.5
"""An answer that takes longer counts as none."""


_COLUMNS = (
    "fault",
    "requests",
    "in 500 ms",
    "failed",
    "p50",
    "p99",
    "degraded",
    "recovered",
    "clicks",
    "lost",
    "twice",
)


@dataclass(frozen=True)
class Row:
    """What one fault did.

    Attributes:
        fault: What was done.
        requests: Recommendations asked for, from the fault's start until all was well again.
        answered: Share answered with 200 and at least one item within `LIMIT_S`.
        failed: How many were not answered so at all, however late.
        p50_ms: Median time to the answer.
        p99_ms: 99th percentile.
        degraded: Share of answers of which something came from a fallback.
        recovered_s: Seconds from the fault's end to the last answer that was late, missing or degraded.
        clicks: Clicks that were accepted meanwhile.
        lost: Accepted clicks without effect.
        repeated: Effects beyond one a click.
    """

    fault: str
    requests: int
    answered: float
    failed: int
    p50_ms: float
    p99_ms: float
    degraded: float
    recovered_s: float
    clicks: int = 0
    lost: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class Report:
    """A drill's result.

    Attributes:
        rows: One a fault, the first without any.
        capacity_rps: Requests a second that the system answered at most; None where that was not measured.
        rate_rps: Requests a second during the drill.
    """

    rows: list[Row]
    capacity_rps: float | None
    rate_rps: float

    @property
    def clicks(self) -> int:
        """Clicks that were accepted."""
        return sum(row.clicks for row in self.rows)

    @property
    def lost(self) -> int:
        """Accepted clicks without effect."""
        return sum(row.lost for row in self.rows)

    @property
    def repeated(self) -> int:
        """Effects beyond one a click."""
        return sum(row.repeated for row in self.rows)


def is_answered(asked: Asked) -> bool:
    """Whether a shopper got items in time."""
    return asked.status == 200 and asked.items > 0 and asked.seconds <= LIMIT_S


def is_well(asked: Asked) -> bool:
    """Whether a shopper noticed nothing."""
    return is_answered(asked) and not asked.degraded


def make_row(fault: str, asked: Sequence[Asked], ended: float) -> Row:
    """Sum up what shoppers met during one fault.

    Args:
        fault: Its name.
        asked: Their requests.
        ended: When it was over, monotonic seconds.
    """
    milliseconds = np.array([each.seconds for each in asked]) * 1000
    return Row(
        fault=fault,
        requests=len(asked),
        answered=float(np.mean([is_answered(each) for each in asked])),
        failed=sum(each.status != 200 or not each.items for each in asked),
        p50_ms=float(np.percentile(milliseconds, 50)),
        p99_ms=float(np.percentile(milliseconds, 99)),
        degraded=float(np.mean([each.degraded != 0 for each in asked])),
        recovered_s=max([0.0, *(each.at + each.seconds - ended for each in asked if not is_well(each))]),
    )


def table(report: Report) -> str:
    """The report for reading, which is Markdown as well.

    Args:
        report: A drill's result.
    """
    cells = [_COLUMNS, *(_cells(row) for row in report.rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(_COLUMNS))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_line(line, widths) for line in (cells[0], rule, *cells[1:])]
    share = ""
    if report.capacity_rps:
        share = f", {report.rate_rps / report.capacity_rps:.0%} of what it can answer"
    lines += [
        "",
        f"{report.rate_rps:.0f} requests/s{share}; {report.clicks} clicks accepted, "
        f"{report.lost} lost, {report.repeated} counted twice",
    ]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.fault,
        str(row.requests),
        f"{row.answered:.2%}",
        str(row.failed),
        f"{row.p50_ms:.0f} ms",
        f"{row.p99_ms:.0f} ms",
        f"{row.degraded:.1%}",
        f"{row.recovered_s:.1f} s",
        str(row.clicks),
        str(row.lost),
        str(row.repeated),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cells[0].ljust(widths[0])]
    padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return f"| {' | '.join(padded)} |"
