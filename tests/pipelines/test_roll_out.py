from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from recsys.kubeflow import compile_pipelines

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ir")
    compile_pipelines(folder, environment={"RECSYS_MLFLOW__URI": "http://mlflow:5000", "RECSYS_GPU": "no"})
    return folder


def _documents(folder: Path, name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((folder / f"{name}.yaml").read_text()))


@pytest.mark.parametrize("name", ["roll_out", "train_and_roll_out"])
def test_compiling_again_gives_the_committed_bytes(name: str, tmp_path: Path) -> None:
    compile_pipelines(tmp_path)
    assert (tmp_path / f"{name}.yaml").read_bytes() == (GOLDEN / f"{name}.yaml").read_bytes()


@pytest.mark.parametrize("name", ["roll_out", "train_and_roll_out", "full_training", "daily_finetuning"])
def test_every_pipeline_is_one_with_variables_for_every_step(compiled: Path, name: str) -> None:
    pipeline, _ = _documents(compiled, name)
    json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())  # strictly
    for step, executor in pipeline["deploymentSpec"]["executors"].items():
        if "container" in executor:
            found = {each["name"]: each["value"] for each in executor["container"]["env"]}
            assert found["RECSYS_MLFLOW__URI"] == "http://mlflow:5000"
            on_gpu = "accelerator" in executor["container"].get("resources", {})
            assert found["RECSYS_GPU"] == ("true" if on_gpu else "no"), step


def test_what_was_trained_is_what_is_rolled_out(compiled: Path) -> None:
    pipeline, platform = _documents(compiled, "train_and_roll_out")
    tasks = pipeline["root"]["dag"]["tasks"]
    assert tasks["roll-out"]["dependentTasks"] == ["full-training"]
    release = tasks["roll-out"]["inputs"]["parameters"]["release"]["taskOutputParameter"]
    assert release["producerTask"] == "full-training"
    stores = [tasks[name]["inputs"]["parameters"]["store"] for name in ("full-training", "roll-out")]
    assert stores == [{"componentInputParameter": "store"}] * 2
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    trained = _documents(compiled, "full_training")[1]
    assert executors.keys() - trained["platforms"]["kubernetes"]["deploymentSpec"]["executors"].keys() == {
        "exec-roll-out"
    }


def test_nothing_of_a_roll_out_is_cached(compiled: Path) -> None:
    pipeline, _ = _documents(compiled, "roll_out")
    (task,) = pipeline["root"]["dag"]["tasks"].values()
    assert not task["cachingOptions"].get("enableCache")
    assert pipeline["root"]["inputDefinitions"]["parameters"]["in_place"]["defaultValue"] is True
