from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from recsys.cli import output
from recsys.cli.recommend import headline, show
from recsys.cli.steps import Steps

ITEM = {"item_id": 2**62, "title": "A very long title " * 9, "category": "bags / small", "price": 1234.5}


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_json_holds_numpy_numbers_and_other_alphabets(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"a": np.float32(0.5), "b": np.arange(2), "c": "é"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"a": 0.5, "b": [0, 1], "c": "é"}
    assert "é" in text


@pytest.mark.usefixtures("narrow")
def test_only_the_title_is_cut_where_the_terminal_is_narrow(capsys: pytest.CaptureFixture[str]) -> None:
    show({"items": [{**ITEM, "score": 0.25}], "degraded": 0}, "User 3")
    _, heading, row = capsys.readouterr().out.splitlines()
    assert cell_len(row.rstrip()) <= 80
    for text in (str(2**62), "bags / small", "1,234.50", "0.2500", "…"):
        assert text in row
    assert heading.split() == ["#", "item", "title", "category", "price", "score"]


def test_titles_are_text_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    item = {**ITEM, "title": "[bold]Bag[/bold] [x", "score": 0.25}
    show({"items": [item], "degraded": 0}, "User 3")
    assert "[bold]Bag[/bold] [x" in capsys.readouterr().out


def test_an_item_without_a_card_is_shown_by_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    item = {"item_id": 5, "title": None, "category": None, "price": None, "score": 0.25}
    show({"items": [item], "degraded": 0}, "User 3")
    assert capsys.readouterr().out.splitlines()[-1].split() == ["1", "5", "0.2500"]


def test_no_items_is_an_empty_table(capsys: pytest.CaptureFixture[str]) -> None:
    show({"items": [], "degraded": 32}, "User 3")
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0].strip() == "User 3"
    assert captured.err == "Served from a fallback: exhausted\n"


def test_headlines_say_who_where_and_when() -> None:
    assert headline(-1, None, None) == "An anonymous visitor on an unknown device, now"
    assert headline(3, None, "2025-08-10T19:00") == "User 3 on an unknown device, 2025-08-10T19:00"


def test_a_step_is_a_line_with_its_time() -> None:
    text = io.StringIO()
    with Steps(Console(file=text, width=100)).step("Training") as note:
        note("epoch 1")
        note("epoch 2")
    lines = text.getvalue().splitlines()
    assert lines[0] == "… Training"
    assert lines[1] == "  epoch 1"  # the second note came within ten seconds
    assert lines[2].startswith("✓ Training")
    assert lines[2].endswith(" s")
    assert len(lines) == 3


def test_a_step_that_fails_is_marked_and_the_error_goes_on() -> None:
    text = io.StringIO()
    with pytest.raises(ValueError, match="no"), Steps(Console(file=text)).step("Training"):
        raise ValueError("no")
    assert text.getvalue().splitlines()[1].startswith("✗ Training")
