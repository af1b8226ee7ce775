"""The page holds the figures, escapes what is not its own, and needs nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsys.bench.cell import Cell
from recsys.bench.report import HTML_FILE, JSON_FILE, write
from recsys.bench.tables import figure, run_rows, verdict


@pytest.fixture
def document(run_of: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return {
        "command": "recsys bench serving --rate '<b>'",
        "begun": "2026-01-01T00:00:00Z",
        "machine": {"cpu": "A & B", "cores": 2, "kernel": "6"},
        "release": 3,
        "widths": {"retrieved": 400, "ranked": 300, "returned": 100},
        "runs": [run_of("ensemble", 12.5), run_of("ensemble", 33.0, Cell(concurrency=16))],
        "servers": [],
        "ranker": [],
        "ratios": [{"name": "a / b", "value": 2.0, "at_least": 7, "at_most": None, "met": False}],
    }


def test_the_page_and_the_json(document: dict[str, Any], tmp_path: Path) -> None:
    page = write(document, tmp_path / "new").read_text()
    assert json.loads((tmp_path / "new" / JSON_FILE).read_text()) == document
    assert (tmp_path / "new" / HTML_FILE).is_file()
    assert "12.5" in page
    assert "≥ 7" in page
    assert "missed" in page
    assert "A &amp; B" in page
    assert "&lt;b&gt;" in page
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="http', page)


def test_rows_are_ordered_by_how_was_asked(document: dict[str, Any]) -> None:
    columns, rows = run_rows(list(reversed(document["runs"])))
    assert [row[0] for row in rows] == ["1 at a time", "16 at a time"]
    assert all(len(row) == len(columns) for row in rows)


def test_goals_are_counted() -> None:
    assert verdict([{"met": True}, {"met": False}, {"met": None}, {"met": True}]) == "Goals met: 2 of 3"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.01234, "0.0123"), (12.34, "12.3"), (1234.5, "1,234"), (7, "7")]
)
def test_figures(value: float | None, text: str) -> None:
    assert figure(value) == text
