from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from factories.shop import make_shop

from recsys.settings import EvaluationSettings, Settings
from recsys.tune.overrides import changed
from recsys.tune.runs import Bench
from recsys.tune.towers import TOWERS, compare_towers

TINY = {
    "training.retrieval.epochs": 1,
    "training.retrieval.least_steps": 2,
    "training.retrieval.steps_per_epoch": 2,
    "training.retrieval.hidden": 8,
}


@pytest.mark.functional
def test_each_tower_is_trained_once_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_shop(tmp_path / "shop", days=range(6))
    bench = Bench(data, tmp_path / "runs", train=(0, 1, 2, 3))
    settings = changed(Settings(evaluation=EvaluationSettings(rows=100)), TINY)
    told: list[str] = []
    found = compare_towers(bench, settings, lambda text, share: told.append(text))
    assert tuple(found) == TOWERS
    assert told[:2] == ["static tower: towers", "static tower: clicks"]
    for one in found.values():
        assert one["rows"] == 100
        assert one["seconds"] > 0
        assert 0 <= one["visit"]["after"]["share"] <= 1

    def again(*_: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("recsys.tune.runs.apart", again)
    monkeypatch.setattr("recsys.tune.towers.apart", again)
    assert compare_towers(bench, settings) == found
