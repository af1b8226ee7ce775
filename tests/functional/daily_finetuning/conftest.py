"""One tiny fine-tuning of the tiny full training, shared by this folder's tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from factories.trained import TINY, Trained, copy_home

from recsys.kubeflow import StepEvent, run_daily
from recsys.release.store import ReleaseStore
from recsys.settings import Settings


@dataclass
class Learned:
    """A home whose release has learned the days that came after it."""

    data: Path
    home: Path
    release: int = 0
    events: list[StepEvent] = field(default_factory=list)

    def run(self) -> int:
        self.events.clear()
        return run_daily(self.data, self.home, Settings(), self.events.append)

    @property
    def store(self) -> ReleaseStore:
        return ReleaseStore(self.home / "releases")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only while a test of this folder runs: no other test may see these variables."""
    for name, value in TINY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def learned(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    found = Learned(trained.data, copy_home(trained, tmp_path_factory.mktemp("daily") / "home"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in TINY.items():
            patch.setenv(name, value)
        found.release = found.run()
    return found
