"""What is rendered from the graph: as committed, and as Triton understands it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from recsys.serving import render
from recsys.serving.graph import ENSEMBLE, MODELS, model
from recsys.serving.wires import ports
from recsys.settings import ServingSettings

SETTINGS = ServingSettings(stages="processes")
COMMITTED = Path(__file__).parents[2] / "triton_model_repository"


def parsed(text: str) -> model_config_pb2.ModelConfig:
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_the_committed_repository_is_in_step() -> None:
    assert render.out_of_step(COMMITTED) == []


def test_a_difference_is_found_and_named(tmp_path: Path) -> None:
    render.render(tmp_path)
    assert render.out_of_step(tmp_path) == []
    (tmp_path / "query_tower" / "config.pbtxt").write_text("name: 'x'")
    (tmp_path / "stray.txt").write_text("")
    (tmp_path / "dlrm_ranking" / "1" / "model.py").unlink()
    assert render.out_of_step(tmp_path) == [
        "dlrm_ranking/1/model.py",
        "query_tower/config.pbtxt",
        "stray.txt",
    ]


@pytest.mark.parametrize("each", MODELS, ids=lambda each: each.name)
def test_every_model_batches_without_waiting(each: render.Model) -> None:
    config = parsed(render.model_config(each, SETTINGS, "/releases", (3, 2)))
    assert (config.name, config.backend, config.max_batch_size) == (each.name, "python", 64)
    assert config.HasField("dynamic_batching")
    assert config.dynamic_batching.max_queue_delay_microseconds == 0
    assert list(config.version_policy.specific.versions) == [2, 3]
    assert config.parameters["releases"].string_value == "/releases"
    assert [port.name for port in config.input] == list(ports(each.inputs, SETTINGS))
    assert [port.name for port in config.output] == list(ports(each.outputs, SETTINGS))
    assert not config.instance_group[0].HasField("rate_limiter")
    assert all(parameter in config.parameters for parameter in each.parameters)


def test_widths_come_from_the_settings() -> None:
    settings = ServingSettings(stages="processes", retrieved=50, ranked=40, returned=30, max_batch_size=8)
    config = parsed(render.model_config(model("filter_seen_items"), settings, "r"))
    dims = {port.name: list(port.dims) for port in (*config.input, *config.output)}
    assert dims["faiss_retrieval_int32"] == [50 + 1]  # where each candidate is from, and one flag
    assert (dims["candidates"], dims["items"]) == ([50], [40])
    assert config.parameters["ranked"].string_value == "40"
    assert config.max_batch_size == 8


def test_the_ensemble_is_pinned_to_one_version() -> None:
    config = parsed(render.ensemble_config(SETTINGS, 7))
    steps = config.ensemble_scheduling.step
    assert config.name == ENSEMBLE
    assert [step.model_name for step in steps] == [each.name for each in MODELS]
    assert {step.model_version for step in steps} == {7}
    assert [port.name for port in config.input if not port.optional] == ["user_id"]
    for step, each in zip(steps, MODELS, strict=True):
        for map_, tensors in ((step.input_map, each.inputs), (step.output_map, each.outputs)):
            wanted = ports(tensors, SETTINGS)
            assert dict(map_) == {port: wire.name for port, wire in wanted.items()}


def test_model_py_has_three_lines() -> None:
    assert len(render.MODEL_PY.splitlines()) == 3


def test_the_diagram_names_every_model() -> None:
    picture = render.mermaid()
    assert picture.startswith("flowchart TD")
    assert all(f"<b>{each.name}</b>" in picture for each in MODELS)
    assert "faiss_retrieval --> filter_seen_items" in picture


def test_the_command_writes_checks_and_draws(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "recsys.serving.graph", *arguments]
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    assert run("--check", "--dir", str(tmp_path)).returncode == 1
    assert run("--write", "--dir", str(tmp_path)).returncode == 0
    assert run("--check", "--dir", str(tmp_path)).returncode == 0
    assert run("--diagram").stdout == render.mermaid()


def test_each_model_is_warmed_with_its_own_shapes() -> None:
    (request,) = parsed(render.model_config(model("dlrm_ranking"), SETTINGS, "r")).model_warmup
    config = parsed(render.model_config(model("dlrm_ranking"), SETTINGS, "r"))
    assert request.batch_size == 1
    for port in config.input:
        assert request.inputs[port.name].data_type == port.data_type
        assert list(request.inputs[port.name].dims) == list(port.dims)
        assert request.inputs[port.name].zero_data
