"""A home after one tiny full training, and what of two releases must be equal."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from recsys import schema
from recsys.kubeflow import StepEvent, run_full
from recsys.release.store import ReleaseStore
from recsys.settings import Settings

TINY = {
    "RECSYS_TRAINING__RETRIEVAL__EPOCHS": "2",
    "RECSYS_TRAINING__RETRIEVAL__MOST_EPOCHS": "2",
    "RECSYS_TRAINING__RANKING__EPOCHS": "2",
    "RECSYS_TRAINING__RANKING__MOST_EPOCHS": "2",
    "RECSYS_FINETUNE__RETRIEVAL__MOST_EPOCHS": "1",
    "RECSYS_FINETUNE__RANKING__MOST_EPOCHS": "1",
    "RECSYS_GATE__RANKER_AUC": "0",  # two epochs on 3,600 rows prove the way, not the models
    "RECSYS_GATE__OVER_POPULARITY": "0",
    "RECSYS_GATE__OVER_RETRIEVAL": "0",
    "RECSYS_GATE__COMPARE": "false",
}
"""Environment of every run over the home."""

_NOT_REPEATED = {schema.INDEX_META_FILE}
"""Says how long the index took to build."""


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


def copy_home(trained: Trained, home: Path) -> Path:
    """A home of its own that holds the trained release, which is current there."""
    shutil.copytree(trained.home / "releases", home / "releases")
    ReleaseStore(home / "releases").set_current(trained.release)
    return home


def differing(one: Path, other: Path, names: list[str]) -> list[str]:
    """Files of two releases that say different things, SavedModels and pickled workflows left aside."""
    compared = [name for name in names if not name.startswith(("savedmodels/", schema.FITTED_WORKFLOWS_DIR))]
    return [
        name
        for name in compared
        if name not in _NOT_REPEATED and _content(one / name) != _content(other / name)
    ]


def numbers(value: Any, path: str = "") -> dict[str, float]:
    """All numbers of an evaluation by their path."""
    if isinstance(value, dict):
        return {k: v for name, one in value.items() for k, v in numbers(one, f"{path}.{name}").items()}
    return {path: float(value)} if isinstance(value, int | float) else {}


def _content(path: Path) -> str:
    """What a file says: of an ONNX file the weights, since the names of its constants vary."""
    if path.suffix != ".onnx":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    tensors = sorted(one.raw_data for one in onnx.load(path).graph.initializer)
    return hashlib.sha256(b"".join(tensors)).hexdigest()
