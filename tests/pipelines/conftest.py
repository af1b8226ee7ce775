"""A compiled pipeline, read in three ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from recsys.kubeflow import compile_pipelines


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The pipeline that the test's module names by its golden file, compiled anew."""
    written = compile_pipelines(tmp_path_factory.mktemp("ir"))
    return next(path for path in written if path.name == request.module.GOLDEN.name)


@pytest.fixture(scope="module")
def documents(compiled: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    pipeline, platform = yaml.safe_load_all(compiled.read_text())
    return pipeline, platform


@pytest.fixture(scope="module")
def spec(documents: tuple[dict[str, Any], dict[str, Any]]) -> Any:
    """The pipeline, parsed strictly: an unknown field is an error."""
    return json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())


@pytest.fixture(scope="module")
def configs(documents: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    """What each step asks of Kubernetes, parsed strictly."""
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {
        name.removeprefix("exec-"): json_format.ParseDict(one, kubernetes_pb2.KubernetesExecutorConfig())
        for name, one in executors.items()
    }
