"""A release fetched from a store: whole and verified, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recsys.errors import BadData, BadUse, Unavailable
from recsys.release import fetch as fetching
from recsys.release.fetch import fetch, main
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore


@pytest.fixture
def source(tmp_path: Path, artefacts: Path, window: DataWindow) -> Path:
    """A store with releases 1 and 2, of which 1 is current; they share files."""
    store = ReleaseStore(tmp_path / "source")
    store.set_current(store.publish(artefacts, data=window, metrics={}))
    (artefacts / "dlrm.onnx").write_bytes(b"a better ranker")
    store.publish(artefacts, data=window, metrics={})
    return store.root


def test_the_current_release_comes_whole(source: Path, tmp_path: Path) -> None:
    assert fetch(str(source), tmp_path / "home") == 1
    here = ReleaseStore(tmp_path / "home" / "releases")
    assert here.current() == 1
    here.verify(1)
    assert (here.path(1) / "savedmodels" / "weights.bin").read_bytes() == b"weights"


def test_a_named_release_comes_instead(source: Path, tmp_path: Path) -> None:
    assert fetch(str(source), tmp_path / "home", 2) == 2
    assert ReleaseStore(tmp_path / "home" / "releases").current() == 2


def test_again_copies_only_what_is_damaged(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(str(source), tmp_path / "home")
    ranker = tmp_path / "home" / "releases" / "1" / "dlrm.onnx"
    ranker.chmod(0o644)
    ranker.write_bytes(b"cut off")
    assert fetch(str(source), tmp_path / "home") == 1
    assert ranker.read_bytes() == b"ranker" * 100
    monkeypatch.setattr(fetching, "_copy", lambda *_: pytest.fail("copied what was whole"))
    fetch(str(source), tmp_path / "home")


def test_a_changed_file_is_refused_and_leaves_no_release(source: Path, tmp_path: Path) -> None:
    sha256 = ReleaseStore(source).show(1).files["dlrm.onnx"].sha256
    stored = source / "objects" / sha256[:2] / sha256
    stored.chmod(0o644)
    stored.write_bytes(b"planted")
    with pytest.raises(BadData, match="does not hash to its name"):
        fetch(str(source), tmp_path / "home")
    assert ReleaseStore(tmp_path / "home" / "releases").numbers() == ()


def test_a_missing_file_is_named(source: Path, tmp_path: Path) -> None:
    sha256 = ReleaseStore(source).show(1).files["index.faiss"].sha256
    (source / "objects" / sha256[:2] / sha256).unlink()
    with pytest.raises(BadData, match=f"{sha256}: missing"):
        fetch(str(source), tmp_path / "home")


def test_a_manifest_cannot_write_elsewhere(source: Path, tmp_path: Path) -> None:
    manifest = source / "1" / "manifest.json"
    content = json.loads(manifest.read_text())
    content["files"]["../../planted"] = content["files"]["index.faiss"]
    manifest.unlink()
    manifest.write_text(json.dumps(content))
    with pytest.raises(BadData, match="outside of itself"):
        fetch(str(source), tmp_path / "home")
    assert not (tmp_path / "home" / "planted").exists()


def test_a_refused_release_is_not_served(artefacts: Path, window: DataWindow, tmp_path: Path) -> None:
    from recsys.release.manifest import Verdict

    store = ReleaseStore(tmp_path / "source")
    store.publish(artefacts, data=window, metrics={}, gate=Verdict(passed=False, reason="too weak"))
    with pytest.raises(BadUse, match="too weak"):
        fetch(str(store.root), tmp_path / "home", 1)


@pytest.mark.parametrize(
    ("number", "current", "cause"),
    [(9, "1", "not in"), (0, None, "no release is current"), (0, "one", "says 'one'")],
)
def test_what_is_not_there_is_said(
    source: Path, tmp_path: Path, number: int, current: str | None, cause: str
) -> None:
    (source / "current").unlink()
    if current is not None:
        (source / "current").write_text(current)
    with pytest.raises((BadUse, BadData), match=cause):
        fetch(str(source), tmp_path / "home", number)


def test_an_unknown_kind_of_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="neither a folder nor s3"):
        fetch("ftp://shop/releases", tmp_path)


def test_a_source_that_cannot_be_read_is_unavailable(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        def open_input_stream(self, path: str) -> None:
            raise OSError("When reading: connection\nrefused")

    monkeypatch.setattr(fetching, "_open", lambda _: (Away(), "bucket/releases"))
    with pytest.raises(Unavailable, match="connection refused"):
        fetch(str(source), tmp_path)


def test_the_command_says_one_line(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([f"--source={source}", f"--into={tmp_path / 'home'}", "--release=2"])
    assert capsys.readouterr().out.startswith("release 2 is in ")
    with pytest.raises(SystemExit) as caught:
        main([f"--source={source}", f"--into={tmp_path / 'home'}", "--release=3"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
