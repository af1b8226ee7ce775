"""In which order a cluster with an index in parts is promoted, and what stays where something fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fakeredis
import pytest

from recsys.errors import RecsysError, Unavailable
from recsys.release import promote_remote
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.promote import Promotion
from recsys.release.promote_remote import Cluster, promote_there
from recsys.release.store import ReleaseStore
from recsys.settings import PromotionSettings, Settings


class Parts:
    """Servers that note what they are told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def add(self, number: int) -> None:
        self.told.append(f"add {number}")

    def keep(self) -> None:
        self.told.append("keep")

    def go_back(self) -> None:
        self.told.append("go back")

    def settle(self, number: int, *, standby: bool) -> list[str]:
        self.told.append(f"settle {number}")
        return ["part 1: disk: full"]


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    found, staging = ReleaseStore(tmp_path / "releases"), tmp_path / "staging"
    staging.mkdir()
    for number in (1, 2):
        (staging / "file").write_text(str(number))
        data = DataWindow(fingerprint=str(number), days=(0,))
        found.publish(staging, data=data, metrics={}, gate=Verdict(passed=True, reason=""))
    found.set_current(1)
    return found


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    found = Parts()
    monkeypatch.setattr(promote_remote, "part_servers", lambda *_: found)
    monkeypatch.setattr(promote_remote.valkey, "connect", lambda _: fakeredis.FakeRedis())
    return found


def _promote(store: ReleaseStore, tmp_path: Path) -> Promotion:
    settings = Settings(home=tmp_path / "home", promotion=PromotionSettings(admin_key="k" * 40))  # type: ignore[arg-type]
    return promote_there(settings, 2, Cluster(["127.0.0.1:1"], [], str(store.root), ["127.0.0.1:2"]))


def test_parts_come_first_and_are_tidied_up_last(
    store: ReleaseStore, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def switch(*given: Callable[[], None]) -> Promotion:
        parts.told.append("replicas")
        given[-1]()
        return Promotion(2, ["one"], {}, ["one: slow"])

    monkeypatch.setattr(promote_remote, "_on_replicas", switch)
    monkeypatch.setattr(promote_remote, "require_parts", lambda *_: parts.told.append("ask"))
    done = _promote(store, tmp_path)
    assert parts.told == ["add 2", "ask", "replicas", "keep", "settle 2"]
    assert done.unsettled == ["one: slow", "part 1: disk: full"]
    assert store.current() == 2


def test_a_part_that_is_missing_leaves_the_replicas_alone(
    store: ReleaseStore, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise Unavailable("index part", "does not hold it", "Bring it")

    monkeypatch.setattr(promote_remote, "require_parts", missing)
    monkeypatch.setattr(promote_remote, "_on_replicas", lambda *_: pytest.fail("a replica was touched"))
    with pytest.raises(Unavailable, match="does not hold it"):
        _promote(store, tmp_path)
    assert parts.told == ["add 2", "go back"]
    assert store.current() == 1


def test_what_fails_before_the_pointer_moves_brings_the_parts_back(
    store: ReleaseStore, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RecsysError("replica one", "does not load", "See its log")

    monkeypatch.setattr(promote_remote, "_on_replicas", broken)
    with pytest.raises(RecsysError, match="does not load"):
        _promote(store, tmp_path)
    assert parts.told == ["add 2", "go back"]
