"""The training's steps, timed one by one."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recsys.bench import train, train_shop, train_stage
from recsys.bench.train import TrainOptions, growth, measure, totals
from recsys.bench.train_tables import growth_rows, step_rows, total_rows
from recsys.data.dataset import Dataset
from recsys.data.validate import validate
from recsys.errors import BadUse, RecsysError
from recsys.settings import Settings


def figures(plan: dict[str, Any]) -> dict[str, Any]:
    """What a process would tell: seconds that grow with the square of the rows."""
    step = plan["step"]
    rows = plan.get("rows") or int(Path(plan["folder"]).name)
    Path(plan["folder"]).mkdir(parents=True, exist_ok=True)
    trains = step.startswith("train_")
    return {
        "step": step,
        "seconds": (rows / 1_000) ** 2,
        "cpu_s": 2 * (rows / 1_000) ** 2,
        "arithmetic_s": 0.75 * (rows / 1_000) ** 2 if trains else None,
        "peak_mb": rows / 10,
        "steal_percent": 0.0,
        "load_average": 1.0,
    }


def test_every_step_at_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "_run", figures)
    document = measure(TrainOptions(rows=(1_000, 2_000)), Settings(), lambda _: None)
    runs = document["runs"]
    assert [run["step"] for run in runs] == 2 * [train.SHOP, *train.STEPS]
    assert [run["rows_per_s"] for run in runs if run["step"] == "features"] == [1_000, 500]
    assert {run["beside_arithmetic_percent"] for run in runs if run["step"] == "train_ranking"} == {25.0}
    assert [one["seconds"] for one in document["totals"]] == [8.0, 32.0]
    assert [one["cpu_microseconds_a_row"] for one in document["totals"]] == [16_000.0, 32_000.0]
    assert {(one["seconds"], one["peak_mb"]) for one in document["growth"]} == {(2.0, 1.0)}
    for columns, rows in (step_rows(runs), total_rows(totals(runs)), growth_rows(growth(runs))):
        assert rows
        assert all(len(row) == len(columns) for row in rows)


def test_a_run_that_broke_goes_on_and_single_steps_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    faults = ["train_ranking"]

    def breaks(plan: dict[str, Any]) -> dict[str, Any]:
        if plan["step"] in faults:
            faults.clear()
            raise RecsysError("train_ranking", "killed", "Try again")
        ran.append(plan["step"])
        return figures(plan)

    monkeypatch.setattr(train, "_run", breaks)
    options = TrainOptions(rows=(1_000,), folder=tmp_path, resume=True)
    with pytest.raises(RecsysError, match="killed"):
        measure(options, Settings(), lambda _: None)
    ran.clear()
    document = measure(options, Settings(), lambda _: None)
    assert [run["step"] for run in document["runs"]] == [train.SHOP, *train.STEPS]
    assert ran == list(train.STEPS[train.STEPS.index("train_ranking") :])
    ran.clear()
    measure(replace(options, steps=("features",)), Settings(training={"seed": 1}), lambda _: None)
    measure(replace(options, steps=("features",), resume=False), Settings(), lambda _: None)
    assert ran == ["features", "features"]  # another recipe, and not to be resumed
    measure(replace(options, resume=False), Settings(), lambda _: None)
    assert ran[2:] == [train.SHOP, *train.STEPS]


def test_single_steps_need_a_shop_and_a_name(tmp_path: Path) -> None:
    for steps, said in ((("bake",), "step bake: there is no such step"), (("features",), "holds no shop")):
        with pytest.raises(BadUse, match=said):
            measure(TrainOptions(rows=(1_000,), folder=tmp_path, steps=steps), Settings(), lambda _: None)


def test_training_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = SimpleNamespace(fit=lambda *, step: [step(number) for number in range(3)])

    def run_step(*arguments: Any) -> dict[str, float]:
        assert arguments == ("train_retrieval", tmp_path, {"a": 1})
        assert loop.fit(step=lambda number: time.sleep(0.02) or number) == [0.0, 1.0, 2.0]
        return {"loss": 0.5}

    monkeypatch.setattr(train_stage, "run_step", run_step)
    monkeypatch.setattr(train_stage, "import_module", {"recsys.models.retrieval": loop}.__getitem__)
    found = train_stage.run("train_retrieval", tmp_path, {"a": 1})
    assert found["notes"] == {"loss": 0.5}
    # Three steps of 20 ms, of which the first, which traces the graph, does not count.
    assert 0.04 <= found["arithmetic_s"] < found["seconds"]


@pytest.mark.parametrize("random", [False, True])
def test_the_shop_has_the_rows_that_were_asked_for(tmp_path: Path, random: bool) -> None:
    sizes = {"users": 20, "items": 60, "rows": 600, "seed": 0}
    plan = {"step": train.SHOP, "folder": str(tmp_path / "source"), **sizes, "random": random}
    assert train_shop.run(plan)["peak_mb"] > 10
    assert train_shop.run(plan)["step"] == train.SHOP  # what a run that broke has left is made anew
    dataset = Dataset.open(tmp_path / "source")
    assert len(dataset.interactions(dataset.days)) == 600
    report = validate(tmp_path / "source", tmp_path / "clean")
    assert report.tables["items.parquet"].kept == 60
