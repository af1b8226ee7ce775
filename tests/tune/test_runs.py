from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories.shop import make_shop

from recsys.errors import BadData, BadUse, RecsysError
from recsys.models.outcomes import Outcomes
from recsys.settings import EvaluationSettings, ServingSettings, Settings
from recsys.tune.ablation import difference
from recsys.tune.overrides import changed
from recsys.tune.runs import Bench

TINY = {
    "training.retrieval.epochs": 1,
    "training.retrieval.least_steps": 5,
    "training.retrieval.steps_per_epoch": 5,
    "training.retrieval.hidden": 8,
    "training.ranking.least_steps": 5,
    "training.ranking.steps_per_epoch": 5,
    "training.ranking.embedding_dim": 4,
    "training.ranking.bottom": (4,),
    "training.ranking.top": (4,),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    data = make_shop(tmp_path_factory.mktemp("shop"), days=range(6))
    return Bench(data, tmp_path_factory.mktemp("runs"), train=(0, 1, 2, 3), baselines="popularity")


@pytest.fixture(scope="module")
def settings() -> Settings:
    own = Settings(
        serving=ServingSettings(retrieved=30, ranked=25, returned=10),
        evaluation=EvaluationSettings(rows=200, anonymous_rows=50, auc_rows=100),
    )
    return changed(own, TINY)


@pytest.mark.functional
def test_a_run_is_made_once_and_measured_on_the_days_after(bench: Bench, settings: Settings) -> None:
    towers = bench.train_towers(settings)
    assert towers["seconds"] > 0
    told: list[str] = []
    run = bench.run(settings, told.append)
    assert told == ["ranker and evaluation"]
    assert run.document["rows"] == 200
    assert run.document["baselines"].keys() == {"popularity"}
    assert run.document["seconds"].keys() == {"towers", "ranker"}
    assert len(run.outcomes["row"]) == 200
    assert [path.suffix for path in bench.folder.rglob("*.onnx")] == []  # what was trained is not kept
    again = bench.run(settings, told.append)
    assert again.document == run.document
    assert len(told) == 1
    same = difference(again.outcomes, run.outcomes)
    assert same["chain.hit@10"] == {"mean": 0.0, "interval": [0.0, 0.0]}


@pytest.mark.functional
def test_a_failure_in_the_other_process_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises((BadData, RecsysError)):
        Bench(tmp_path / "data", tmp_path / "runs").train_towers(settings)


def test_other_settings_data_or_days_are_another_run(bench: Bench, settings: Settings) -> None:
    keys = {
        bench._key(settings),
        bench._key(changed(settings, {"training.seed": 43})),
        Bench(bench.data, bench.folder)._key(settings),
    }
    assert len(keys) == 3
    assert bench._key(changed(settings, {"gate.coverage": 0.5, "gateway.port": 0})) in keys


def test_a_run_beside_more_baselines_is_as_good(bench: Bench, settings: Settings, tmp_path: Path) -> None:
    wide = replace(bench, folder=tmp_path, baselines="standard")
    kept = wide.folder_of(settings)
    kept.mkdir()
    rank = np.ones(3, np.int64)
    Outcomes.of(row=np.arange(3), user=np.arange(3), chain_rank=rank, retrieval_rank=rank).save(kept)
    (kept / "evaluation.json").write_text('{"rows": 3}')
    told: list[str] = []
    assert replace(wide, baselines="popularity").run(settings, told.append).document == {"rows": 3}
    assert wide.run(settings, told.append).document == {"rows": 3}
    assert told == []


def test_a_baseline_that_is_none_is_said_before_anything_is_trained(bench: Bench, settings: Settings) -> None:
    told: list[str] = []
    with pytest.raises(BadUse, match="foo"):
        replace(bench, baselines="als,foo").run(settings, told.append)
    assert told == []
