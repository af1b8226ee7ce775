"""One tiny full training, shared by this folder's tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from factories.shop import make_shop

from recsys.kubeflow import StepEvent, run_full
from recsys.release.store import ReleaseStore
from recsys.settings import Settings

_TINY = {
    "RECSYS_TRAINING__RETRIEVAL__EPOCHS": "2",
    "RECSYS_TRAINING__RETRIEVAL__MOST_EPOCHS": "2",
    "RECSYS_TRAINING__RANKING__EPOCHS": "2",
    "RECSYS_TRAINING__RANKING__MOST_EPOCHS": "2",
    "RECSYS_GATE__RANKER_AUC": "0",  # two epochs on 3,600 rows prove the way, not the models
    "RECSYS_GATE__OVER_POPULARITY": "0",
    "RECSYS_GATE__OVER_RETRIEVAL": "0",
}


@dataclass
class Trained:
    """One home after its first full training."""

    data: Path
    home: Path
    release: int = 0
    events: list[StepEvent] = field(default_factory=list)

    def run(self) -> int:
        self.events.clear()
        return run_full(self.data, self.home, Settings(), self.events.append)

    def ended(self) -> dict[str, str]:
        return {e.step: e.state for e in self.events if e.state in {"done", "reused", "failed"}}

    @property
    def store(self) -> ReleaseStore:
        return ReleaseStore(self.home / "releases")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only while a test of this folder runs: no other test may see these variables."""
    for name, value in _TINY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("full_training")
    found = Trained(make_shop(folder / "shop"), folder / "home")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _TINY.items():
            patch.setenv(name, value)
        found.release = found.run()
    return found
