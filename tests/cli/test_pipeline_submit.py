from __future__ import annotations

import json

import pytest
from factories.kubeflow import fake_kubeflow

IR = """
pipelineInfo: {name: full-training}
root: {inputDefinitions: {parameters: {data: {parameterType: STRING}}}}
"""


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "full_training.yaml"
    path.write_text(IR)
    return path


def test_submit_and_wait(run, package, monkeypatch) -> None:
    with fake_kubeflow() as kubeflow:
        monkeypatch.setenv("RECSYS_KFP_ENDPOINT", kubeflow.url)
        done = run("pipeline", "submit", package, "--argument", "data=s3://b/d", "--wait", 5, "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out) == {"run": "run-1", "url": f"{kubeflow.url}/#/runs/details/run-1"}
        (sent,) = kubeflow.runs
    assert sent["display_name"].startswith("full_training 2")
    assert sent["service_account"] == "pipeline-runner"


def test_a_missing_argument_is_one_line_and_nothing_is_sent(run, package) -> None:
    with fake_kubeflow() as kubeflow:
        done = run("pipeline", "submit", package, "--endpoint", kubeflow.url)
        assert kubeflow.tokens == []
    assert done.code == 2
    assert "data is missing" in done.err
