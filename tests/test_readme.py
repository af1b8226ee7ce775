"""What the README shows is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recsys.cli import main
from recsys.serving.render import mermaid
from recsys.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text()
COMMANDS = re.search(r"## Commands\n\n```\n(.*?)```", TEXT, re.DOTALL)[1]


def commands() -> list[tuple[str, ...]]:
    """Every command of the overview, alternatives (`up | down`) one by one."""
    found = []
    for line in COMMANDS.splitlines():
        usage = re.split(r"\s{2,}|\s(?=--|\[|[A-Z])", line.strip())[0].removeprefix("recsys ")
        first, *others = usage.split(" | ")
        group = first.split()[:-1]
        found += [(*group, name) for name in (first.split()[-1], *others)]
    return found


def test_the_picture_is_the_graph() -> None:
    assert f"```mermaid\n{mermaid()}```" in TEXT


def test_the_overview_was_read() -> None:
    assert {("data", "describe"), ("down",), ("recommend",), ("release", "rollback")} <= set(commands())


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_is_there(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([*command, "--help"])
    assert not left.value.code
    assert f"recsys {' '.join(command)}" in capsys.readouterr().out


def test_every_file_of_the_layout_is_there() -> None:
    named = set(
        re.findall(
            r"(?<![\w/<>-])((?:scripts|recsys|components|pipelines|feature_repo|requirements|tests)/[\w./]*)",
            TEXT,
        )
    )
    assert {"scripts/demo", "scripts/test", "recsys/settings/"} <= named
    assert [name for name in named if not (ROOT / name.rstrip(".")).exists()] == []


def test_the_widths_are_those_of_the_settings() -> None:
    serving = Settings().serving
    assert f"find {serving.retrieved} candidates" in TEXT
    assert f"`ordered_ids` INT64 [B, {serving.returned}]" in TEXT
