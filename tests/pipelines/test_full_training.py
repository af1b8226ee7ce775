from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes_pb2

from recsys.kubeflow import compile_pipelines

GOLDEN = Path(__file__).parent / "golden" / "full_training.yaml"
GPU_STEPS = {"features", "train-retrieval", "train-ranking"}
STEPS = GPU_STEPS | {
    "validate",
    "encode-items",
    "build-index",
    "assemble-release",
    "evaluate",
    "take-current",
    "remeasure",
    "gate",
    "publish",
}
STORE_STEPS = {"take-current", "publish"}


def test_compiling_again_gives_the_committed_bytes(compiled: Path) -> None:
    assert compiled.read_bytes() == GOLDEN.read_bytes(), (
        "The pipeline changed: look at the difference, then run "
        "`recsys pipeline compile --out tests/pipelines/golden`"
    )


def test_every_step_is_there_and_named(spec: Any, configs: dict[str, Any]) -> None:
    assert set(spec.root.dag.tasks) == STEPS | {"importer"}
    assert set(configs) == STEPS


def test_release_is_evaluated_and_judged_before_it_is_published(spec: Any) -> None:
    tasks = spec.root.dag.tasks
    assert "evaluate" in tasks["gate"].dependent_tasks
    assert "gate" in tasks["publish"].dependent_tasks
    evaluated = tasks["evaluate"].inputs.artifacts["release"].task_output_artifact
    published = tasks["publish"].inputs.artifacts["release"].task_output_artifact
    assert evaluated == published
    assert evaluated.producer_task == "assemble-release"


def test_steps_that_ask_the_store_are_never_cached(spec: Any) -> None:
    cached = {name for name, task in spec.root.dag.tasks.items() if task.caching_options.enable_cache}
    assert cached == STEPS - STORE_STEPS | {"importer"}


def test_every_step_is_tried_again(spec: Any) -> None:
    for name in STEPS:
        policy = spec.root.dag.tasks[name].retry_policy
        assert (policy.max_retry_count, policy.backoff_duration.seconds, policy.backoff_factor) == (2, 30, 2)


def test_gpu_steps_ask_for_a_gpu_and_go_where_it_is(spec: Any, configs: dict[str, Any]) -> None:
    for name in STEPS:
        executor = spec.deployment_spec["executors"][f"exec-{name}"]["container"]
        asked = dict(executor["resources"]).get("accelerator")
        pool = dict(configs[name].node_selector.labels)
        tolerated = [(t.key, t.operator, t.effect) for t in configs[name].tolerations]
        shared = [(m.mount_path, m.medium) for m in configs[name].empty_dir_mounts]
        if name in GPU_STEPS:
            assert (asked["resourceType"], asked["resourceCount"]) == ("nvidia.com/gpu", "1")
            assert pool == {"recsys/pool": "gpu"}
            assert tolerated == [("nvidia.com/gpu", "Exists", "NoSchedule")]
            assert shared == [("/dev/shm", "Memory")]
            assert {"name": "RECSYS_GPU", "value": "true"} in [dict(e) for e in executor["env"]]
        else:
            assert asked is None
            assert pool == {"recsys/pool": "cpu"}
            assert tolerated == shared == []


def test_every_step_bounds_its_memory(spec: Any) -> None:
    for name in STEPS:
        resources = spec.deployment_spec["executors"][f"exec-{name}"]["container"]["resources"]
        assert resources["resourceMemoryLimit"] == resources["resourceMemoryRequest"]
        assert resources["resourceCpuRequest"]


def test_only_steps_that_ask_the_store_see_the_releases(configs: dict[str, Any]) -> None:
    mounts = {
        name: [(m.constant, m.mount_path) for m in config.pvc_mount] for name, config in configs.items()
    }
    volume = [("recsys-releases", "/releases")]
    assert {name: found for name, found in mounts.items() if found} == dict.fromkeys(STORE_STEPS, volume)


def test_another_image_reaches_every_step(tmp_path: Path) -> None:
    (path,) = (p for p in compile_pipelines(tmp_path, image="registry/own:7") if p.name == GOLDEN.name)
    pipeline = next(yaml.safe_load_all(path.read_text()))
    executors = pipeline["deploymentSpec"]["executors"]
    images = {one["container"]["image"] for one in executors.values() if "container" in one}
    assert images == {"registry/own:7"}


def test_unknown_field_would_be_an_error(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    with pytest.raises(json_format.ParseError, match="nodeSelektor"):
        json_format.ParseDict({"nodeSelektor": {}}, kubernetes_pb2.KubernetesExecutorConfig())
