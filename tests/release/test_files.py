from __future__ import annotations

import errno
from pathlib import Path

import pytest

from recsys.release import files


def test_write_atomic_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "current"
    files.write_atomic(target, b"1\n")
    files.write_atomic(target, b"2\n")
    assert target.read_bytes() == b"2\n"
    assert [p.name for p in tmp_path.iterdir()] == ["current"]


def test_copy_atomic_replaces_what_a_crash_left(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"whole")
    leftover = tmp_path / "objects" / "x.partial"
    leftover.parent.mkdir()
    leftover.write_bytes(b"wh")
    files.copy_atomic(source, tmp_path / "objects" / "x")
    assert (tmp_path / "objects" / "x").read_bytes() == b"whole"
    assert not leftover.exists()


def test_link_shares_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    files.link_or_copy(tmp_path / "a", tmp_path / "deep" / "b")
    assert (tmp_path / "a").samefile(tmp_path / "deep" / "b")


def test_link_copies_where_links_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "a").write_bytes(b"x")
    files.link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"x"
    assert not (tmp_path / "a").samefile(tmp_path / "b")
