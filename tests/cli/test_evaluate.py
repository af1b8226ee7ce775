from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from recsys.cli import evaluate_tables, tune
from recsys.cli.main import app
from recsys.errors import BadUse
from recsys.settings import Settings, get_settings

GAIN = {"hit@10": 0.31, "hit@100": 0.6, "hit@300": 0.9, "ndcg@10": 0.2, "mrr": 0.1, "coverage@10": 0.5}
DOCUMENT: dict[str, Any] = {
    "rows": 1_234,
    "chain": GAIN,
    "retrieval": GAIN,
    "baselines": {"item_knn": GAIN},
    "anonymous": {"chain": GAIN, "retrieval": GAIN, "rows": 10},
    "ranker": {"auc": 0.9, "negatives": "in-batch"},
}
VISITOR: dict[str, Any] = {
    "rows": 55,
    "chain": GAIN,
    "retrieval": GAIN,
    "popularity": GAIN,
    "interval": {"hit@10": [0.25, 0.35], "ndcg@10": [0.1, 0.3]},
    "over_popularity": 1.234,
}
BOUND = {"hit@10": 0.115, "apart": 0.066, "cells": 216, "rows": 9}
NEW: dict[str, Any] = DOCUMENT | {
    "anonymous": DOCUMENT["anonymous"] | {"bound": BOUND},
    "visitors": {"no click": VISITOR, "2 clicks": VISITOR | {"over_popularity": None}},
    "calibration": {"ece": 0.02, "negatives": "uniform"},
    "intervals": {"chain": {name: [0.25, 0.35] for name in GAIN}},
    "differences": {"chain - als": {name: {"mean": 0.05, "interval": [0.04, 0.06]} for name in GAIN}},
    "unseen": {"rows": 77, "chain": GAIN, "retrieval": GAIN, "baselines": {"als": GAIN}},
    "ordering": {
        "rows": 9,
        "curves": {
            "MMR": [
                GAIN | {"setting": 0.3, "diversity": 0.7, "categories": 3.0, "coverage": 0.4, "gini": 0.6}
            ]
        },
        "off_policy": [{"policy": "greedy", "estimator": "IPS", "value": 0.1, "truth": 0.12}],
    },
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a current release and data, and an evaluation that answers at once."""
    monkeypatch.setenv("RECSYS_HOME", str(tmp_path))
    get_settings.cache_clear()
    (tmp_path / "data").mkdir()
    asked: list[tuple[Any, ...]] = []

    def measure(release_dir: Path, dataset: Any, settings: Any, note: Any, baselines: str) -> dict[str, Any]:
        asked.append((release_dir.name, baselines))
        return DOCUMENT | {"asked": asked}

    monkeypatch.setattr("recsys.models.evaluate.evaluate", measure)
    monkeypatch.setattr("recsys.models.ordering.measure", lambda *_: NEW["ordering"])
    monkeypatch.setattr("recsys.data.dataset.Dataset.open", lambda path: path)
    monkeypatch.setattr("recsys.release.lineage.judged_by", lambda dataset, release_dir: dataset)
    monkeypatch.setattr("recsys.local.services.require_release", lambda settings: 7)
    yield tmp_path
    get_settings.cache_clear()


def test_the_current_release_is_measured_beside_the_baselines_asked_for(shop: Path) -> None:
    found = json.loads(CliRunner().invoke(app, ["evaluate", "--baselines", "all", "--json"]).stdout)
    assert found["asked"] == [["7", "all"]]
    assert "ordering" not in found
    other = CliRunner().invoke(app, ["evaluate", "--release", "3", "--ordering", "--json"])
    assert json.loads(other.stdout)["asked"][-1] == ["3", "standard"]
    assert "ordering" in json.loads(other.stdout)


def test_a_report_is_written_where_asked(shop: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "--report", str(shop / "deep" / "page.html")])
    assert result.exit_code == 0
    assert "Who finds the click" in (shop / "deep" / "page.html").read_text()
    assert "item knn" in result.stdout


def test_documents_old_and_new_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate_tables.show(DOCUMENT)
    old = capsys.readouterr().out
    assert "1,234 clicks" in old
    assert "Ranker AUC 0.900\n" in old
    evaluate_tables.show(NEW)
    new = capsys.readouterr().out
    for text in (
        "0.250 – 0.350",
        "+0.050 (+0.040 – +0.060)",
        "77 clicks on items new",
        "1.234",
        "hit@10 0.115 at most",
        "calibration error 0.020",
        "MMR",
    ):
        assert text in new


def test_towers_are_told_side_by_side(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []

    def compare(bench: Any, settings: Settings, note: Any) -> dict[str, Any]:
        folders.append(bench.folder)
        share = {"share": 0.84, "interval": [0.8, 0.9]}
        days = {"day unlike the past": {"rows": 44, "hit@10": 0.36, "interval": [0.3, 0.4]}}
        visit = {"visits": 55, "before": share, "after": share}
        one = {"rows": 66, "all": GAIN, "interval": {"hit@10": [0.2, 0.4]}, "days": days, "visit": visit}
        return {"static": one, "session": one}

    monkeypatch.setattr("recsys.tune.towers.compare_towers", compare)
    found = CliRunner().invoke(app, ["evaluate", "towers", "--json"])
    assert json.loads(found.stdout)["session"]["visit"]["after"]["share"] == 0.84
    result = CliRunner().invoke(app, ["evaluate", "towers"], env={"COLUMNS": "300"})
    assert result.exit_code == 0
    for text in ("66 clicks", "55 visits", "0.840 (0.800 – 0.900)", "0.360"):
        assert text in result.stdout
    assert folders == [shop / "runs" / "towers"] * 2

    asked: list[Any] = []
    monkeypatch.setattr(
        "recsys.models.reaction.Tower.of_release", lambda release_dir, items: asked.append(release_dir)
    )
    monkeypatch.setattr("recsys.models.reaction.Rows.of", lambda dataset, settings: None)
    monkeypatch.setattr(
        "recsys.models.reaction.measure",
        lambda tower, rows: compare(SimpleNamespace(folder=None), None, None)["static"],
    )
    monkeypatch.setattr("recsys.data.dataset.Dataset.open", lambda path: SimpleNamespace(items=None))
    found = CliRunner().invoke(app, ["evaluate", "towers", "--release", "3", "--json"])
    assert list(json.loads(found.stdout)) == ["release 3"]
    assert asked == [shop / "releases" / "3"]


def test_seeds_and_ablation_are_trainings_of_this_recipe(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def over_seeds(bench: Any, settings: Settings, seeds: list[int], note: Any) -> dict[str, Any]:
        asked["seeds"] = (bench.folder, bench.baselines, seeds)
        one = {"mean": 0.5, "interval": [0.4, 0.6], "values": [0.45, 0.55]}
        return {"rows": 9, "headline": {"chain.hit@10": one}, "baselines": {"als": GAIN}, "seconds": [1.0]}

    def ablate(bench: Any, settings: Settings, only: str, note: Any) -> dict[str, Any]:
        asked["only"] = only
        paths = ("chain.hit@10", "chain.ndcg@10", "retrieval.hit@300", "anonymous.chain.hit@10", "ranker.auc")
        less = {"chain.hit@10": {"mean": -0.05, "interval": [-0.06, -0.04]}}
        return {"rows": 9, "variants": {"no dropout": dict.fromkeys(paths, 0.4) | {"difference": less}}}

    monkeypatch.setattr("recsys.tune.seeds.over_seeds", over_seeds)
    monkeypatch.setattr("recsys.tune.ablation.ablate", ablate)
    found = CliRunner().invoke(app, ["evaluate", "seeds", "--seeds", "2"])
    assert asked["seeds"] == (shop / "runs", "all", [42, 43])
    assert "0.4000 – 0.6000" in found.stdout
    found = CliRunner().invoke(app, ["evaluate", "ablation", "--only", "no dropout"])
    assert asked["only"] == "no dropout"
    assert "-0.0500*" in found.stdout


def test_a_search_says_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"trials": 4, "pruned": 1, "failed": 0, "begun": 0.25, "importance": {"training.seed": 1.0}}
    found["tried"] = [
        {"trial": at, "value": value, "data_sets": [value, value], "seconds": 100 + at}
        for at, value in enumerate((0.25, None, 0.2, 0.26))
    ]
    tune.show(found | {"best": {"trial": 3, "value": 0.26, "settings": {"training.retrieval.epochs": 5}}})
    shown = capsys.readouterr().out
    assert "RECSYS_TRAINING__RETRIEVAL__EPOCHS=5" in shown
    assert "trial 3, NDCG@10 0.2600; the recipe it began with: 0.2500" in shown
    assert "103 s" in shown
    judged = {
        "data": "retail",
        "seeds": [42, 43],
        "rows": 1_234,
        "recipe": {"chain.ndcg@10": 0.25},
        "found": {"chain.ndcg@10": 0.26},
        "difference": {"chain.ndcg@10": {"mean": 0.01, "interval": [-0.02, 0.04], "values": [0.0, 0.02]}},
        "better": False,
    }
    best = {"trial": 3, "value": 0.26, "settings": {"training.retrieval.epochs": 5}}
    tune.show(found | {"best": best, "judged": [judged]})
    shown = capsys.readouterr().out
    assert "retail: on 1,234 clicks that the search did not see, 2 seeds" in shown
    assert "not better than the recipe beyond noise" in shown
    tune.show(found | {"best": None, "importance": {}})
    assert "No trial was finished." in capsys.readouterr().out


def test_the_search_as_an_experiment_needs_an_image(shop: Path) -> None:
    found = CliRunner().invoke(app, ["tune", "--katib", "--image", "registry/recsys:1", "--trials", "3"])
    assert "kind: Experiment" in found.stdout
    assert "maxTrialCount: 3" in found.stdout
    assert CliRunner().invoke(app, ["tune", "--katib"]).exit_code != 0


def test_fewer_rows_tell_trials_apart() -> None:
    found = tune.measured_on_fewer(Settings())
    assert (found.evaluation.rows, found.evaluation.anonymous_rows) == (10_000, 1_000)
    assert found.training == Settings().training


@pytest.mark.parametrize(("trial", "judges"), [(3, [("a", [42, 43]), ("b", [42, 43])]), (0, [])])
def test_the_best_of_a_search_meets_the_recipe_when_asked(
    shop: Path, monkeypatch: pytest.MonkeyPatch, trial: int, judges: list[Any]
) -> None:
    best = {"trial": trial, "value": 0.3, "settings": {"training.retrieval.epochs": 5}}
    asked: list[Any] = []

    def judge(bench: Any, settings: Settings, found: Any, seeds: list[int], note: Any) -> dict[str, Any]:
        assert (bench.train, found) == ((), best["settings"])
        assert bench.folder.name == "runs"
        asked.append((bench.data.name, seeds))
        return {"better": True}

    monkeypatch.setattr("recsys.tune.study.inner_days", lambda dataset: (0, 1))
    monkeypatch.setattr("recsys.tune.study.tune", lambda *_, **__: {"best": best})
    monkeypatch.setattr("recsys.tune.judge.judge", judge)
    monkeypatch.setattr("recsys.data.dataset.Dataset.open", lambda path: None)
    found = CliRunner().invoke(app, ["tune", "--judge", "2", "--json", "--data", "a", "--data", "b"])
    assert found.exit_code == 0, found.output
    assert asked == judges
    assert [one["data"] for one in json.loads(found.stdout).get("judged", [])] == [name for name, _ in judges]
    one = CliRunner().invoke(app, ["tune", "--judge", "1"])
    assert isinstance(one.exception, BadUse)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ([0.04, 0.06], "als, the best baseline here, 31.0 (+0.050 "),
        ([-0.1, 0.2], "31.0, within noise (+0.050"),
    ],
)
def test_an_evaluation_says_in_a_sentence_what_it_comes_to(ends: list[float], said: str) -> None:
    gain = {"hit@10": {"mean": 0.05, "interval": ends}}
    document = DOCUMENT | {
        "chain": GAIN | {"hit@10": 0.36},
        "baselines": {"popularity": GAIN | {"hit@10": 0.1}, "als": GAIN},
        "differences": {"chain - als": gain, "chain - popularity": {}},
    }
    found = evaluate_tables.verdict(document)
    assert found.startswith("Of 100 clicks 36.0 are among the ten items shown")
    assert said in found
    assert not evaluate_tables.verdict(DOCUMENT | {"baselines": {}})
