from __future__ import annotations

import errno

import pytest

from recsys.data.staging import staged
from recsys.errors import BadUse, RecsysError


def test_the_folder_appears_when_all_went_well(tmp_path):
    with staged(tmp_path / "deep" / "out") as folder:
        (folder / "a").write_text("1")
        assert not (tmp_path / "deep" / "out").exists()
    assert (tmp_path / "deep" / "out" / "a").read_text() == "1"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]


def test_nothing_appears_when_it_did_not(tmp_path):
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "out") as folder:
        (folder / "a").write_text("1")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    left = tmp_path / ".out.partial"
    left.mkdir()
    (left / "half").write_text("")
    with staged(tmp_path / "out") as folder:
        assert list(folder.iterdir()) == []
    assert list((tmp_path / "out").iterdir()) == []


def test_only_an_earlier_result_is_replaced(tmp_path):
    (tmp_path / "done").write_text("")
    with pytest.raises(BadUse, match="holds something else"), staged(tmp_path):
        pytest.fail("not reached")
    with staged(tmp_path, replaces="done") as folder:
        (folder / "new").write_text("")
    assert [p.name for p in tmp_path.iterdir()] == ["new"]


def test_a_failing_disk_is_one_line(tmp_path):
    with pytest.raises(RecsysError) as error, staged(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (
        str(error.value) == f"{tmp_path}/out: no space left on device. Free the disk or give another folder."
    )
    assert list(tmp_path.iterdir()) == []
