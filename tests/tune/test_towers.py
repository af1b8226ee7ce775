from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories.evaluated_shop import ITEM_IDS, SETTINGS, write_shop
from factories.release import make_release

from recsys import schema
from recsys.settings import Settings
from recsys.tune import towers

HERE: Callable[..., Any] = lambda function, *arguments: function(*arguments)  # noqa: E731 - a stand-in


@dataclass
class FakeBench:
    """A bench whose towers are random ones."""

    data: Path
    folder: Path
    train: tuple[int, ...] = ()
    asked: list[str] = field(default_factory=list)

    def folder_of(self, settings: Settings) -> Path:
        return self.folder / settings.training.retrieval.query_tower

    def train_towers(self, settings: Settings, progress: Callable[[str], None]) -> dict[str, float]:
        progress("towers")
        folder = self.folder_of(settings)
        self.asked.append(folder.name)
        release = make_release(folder / "towers", items=len(ITEM_IDS), item_ids=ITEM_IDS)
        (folder / "serving").symlink_to(release)
        (folder / "tables").mkdir()
        for file in (schema.IMAGE_EMBEDDINGS_FILE, schema.TEXT_EMBEDDINGS_FILE):
            np.save(folder / "tables" / file, np.load(release / file))
        return {"seconds": 3.0}


def test_each_tower_is_trained_and_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "shop"
    data.mkdir()
    write_shop(data, exposures=True)
    bench, told = FakeBench(data, tmp_path / "runs"), []
    monkeypatch.setattr(towers, "apart", HERE)
    found = towers.compare_towers(bench, SETTINGS, lambda text, share: told.append((text, share)))
    assert tuple(found) == towers.TOWERS == tuple(bench.asked)
    assert told[:3] == [
        ("static tower: towers", 0),
        ("static tower: clicks", 0),
        ("context tower: towers", 1 / 3),
    ]
    for one in found.values():
        assert one["rows"] == 75
        assert one["seconds"] == 3
        assert one["days"].keys() <= {"day like the past", "day unlike the past", "no past"}

    def measured(*_: Any) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(towers, "apart", measured)
    monkeypatch.setattr(bench, "train_towers", lambda *_: {"seconds": 3.0})
    again = towers.compare_towers(bench, SETTINGS)
    assert str(again) == str(found)  # shares that nobody has are NaN
