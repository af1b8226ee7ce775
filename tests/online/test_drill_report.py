"""What a drill prints: shares, times and clicks of each fault, as Markdown."""

from __future__ import annotations

import pytest

from recsys.online.drill_load import Asked
from recsys.online.drill_report import Report, make_row, table


def asked(at: float, seconds: float = 0.1, status: int = 200, items: int = 10, degraded: int = 0) -> Asked:
    return Asked(at, seconds, status, items, degraded)


def test_a_row_counts_what_shoppers_noticed() -> None:
    row = make_row(
        "fire",
        [
            asked(1),
            asked(2, degraded=2),
            asked(4, seconds=0.7),
            asked(5, status=0, items=0),
            asked(6, items=0),
        ],
        ended=4.5,
    )
    assert (row.requests, row.answered, row.failed, row.degraded) == (5, 0.4, 2, 0.2)
    assert (row.p50_ms, row.recovered_s) == (pytest.approx(100), pytest.approx(1.6))


def test_nothing_to_recover_from() -> None:
    assert make_row("none", [asked(1), asked(2)], ended=1.5).recovered_s == 0


def test_the_table_is_markdown_and_sums_up() -> None:
    rows = [make_row("none", [asked(1)], 2), make_row("a longer name | here", [asked(1, degraded=1)], 2)]
    lines = table(Report(rows, capacity_rps=80, rate_rps=40)).splitlines()
    assert lines[0].startswith("| fault ")
    assert {len(line) for line in lines[:4]} == {len(lines[0])}
    assert set(lines[1]) <= set("|-: ")
    assert "100.00%" in lines[2]
    assert lines[-1] == "40 requests/s, 50% of what it can answer; 0 clicks accepted, 0 lost, 0 counted twice"
