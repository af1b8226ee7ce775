from __future__ import annotations

from pathlib import Path

import pytest

from recsys.errors import BadUse
from recsys.release import promote_job
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.store import ReleaseStore
from recsys.settings import get_settings


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    """Three releases, of which the last was refused; the second is current."""
    store, staging = ReleaseStore(tmp_path / "releases"), tmp_path / "staging"
    staging.mkdir()
    for number, passed in ((1, True), (2, True), (3, False)):
        (staging / "file").write_text(str(number))
        verdict = Verdict(passed=passed, reason="" if passed else "too slow")
        store.publish(staging, data=DataWindow(fingerprint=str(number), days=(0,)), metrics={}, gate=verdict)
    store.set_current(2)
    return store


@pytest.mark.parametrize(("wanted", "back", "chosen"), [(1, False, 1), (0, False, 2), (0, True, 1)])
def test_which_release_is_meant(store: ReleaseStore, wanted: int, back: bool, chosen: int) -> None:
    assert promote_job.choose(store, wanted, back) == chosen


def test_where_there_is_none(store: ReleaseStore, tmp_path: Path) -> None:
    store.set_current(1)
    with pytest.raises(BadUse, match="release 1: is the first"):
        promote_job.choose(store, 0, back=True)
    with pytest.raises(BadUse, match="no release passed its gate"):
        promote_job.choose(ReleaseStore(tmp_path / "empty"), 0, back=False)


def test_a_refusal_is_one_line_and_an_exit_code(
    store: ReleaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECSYS_PROMOTION__ADMIN_KEY", "k" * 40)
    get_settings.cache_clear()
    given = ["--source", str(store.root), "--into", str(tmp_path / "home"), "--replica", "127.0.0.1:1"]
    try:
        with pytest.raises(SystemExit) as ended:
            promote_job.main([*given, "--release", "3"])
    finally:
        get_settings.cache_clear()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("release 3: refused by its gate: too slow.")
    assert store.current() == 2
