from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from recsys.local import watcher


def _write(home: Path, text: str) -> Path:
    path = home / "run" / "watcher.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_a_home_without_one(tmp_path: Path) -> None:
    assert not watcher.is_watching(tmp_path)
    watcher.stop(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_file_names_nobody(tmp_path: Path, text: str) -> None:
    path = _write(tmp_path, text)
    assert not watcher.is_watching(tmp_path)
    watcher.stop(tmp_path)
    assert not path.exists()


def test_who_has_the_pid_of_a_watcher_that_ended_is_left_alone(tmp_path: Path) -> None:
    _write(tmp_path, json.dumps({"pid": os.getpid(), "start_ticks": 1}))
    assert not watcher.is_watching(tmp_path)
    watcher.stop(tmp_path)  # would end this very process
    assert not watcher.is_watching(tmp_path)
