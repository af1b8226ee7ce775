"""A release with another tower is the same release in everything else."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from recsys.bench import static_tower
from recsys.errors import RecsysError
from recsys.schema import QUERY_TOWER_ONNX


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "releases" / "4"
    folder.mkdir(parents=True)
    (folder / QUERY_TOWER_ONNX).write_text("session")
    (folder / "index.faiss").write_text("index")
    return folder


def test_only_the_tower_is_another(tmp_path: Path, release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exported(line: list[str], **_: object) -> SimpleNamespace:
        folder = Path(line[-1])
        folder.mkdir()
        (folder / QUERY_TOWER_ONNX).write_text("static")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", exported)
    static_tower.copy_release(release, tmp_path / "workflows", tmp_path / "own")
    made = tmp_path / "own" / "4"
    assert (made / QUERY_TOWER_ONNX).read_text() == "static"
    assert (made / "index.faiss").read_text() == "index"
    assert (release / QUERY_TOWER_ONNX).read_text() == "session"


def test_an_export_that_fails_says_why(
    tmp_path: Path, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = SimpleNamespace(returncode=1, stderr="Traceback\nImportError: no TensorFlow\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(RecsysError, match="no TensorFlow"):
        static_tower.copy_release(release, tmp_path / "workflows", tmp_path / "own")
