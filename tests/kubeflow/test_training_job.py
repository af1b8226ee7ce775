"""The TFJob for several nodes: the operator's fields, a pod that Kubernetes takes, nothing secret or root."""

from __future__ import annotations

import json
from typing import Any

import kubernetes_validate
import pytest
import yaml
from typer.testing import CliRunner

from recsys.cli.main import app
from recsys.errors import BadUse
from recsys.kubeflow.recipe import recipe_of, settings_of
from recsys.kubeflow.training_job import TrainingJob
from recsys.settings import Settings

RUN_POLICY = {
    "activeDeadlineSeconds": int,
    "backoffLimit": int,
    "cleanPodPolicy": str,
    "managedBy": str,
    "schedulingPolicy": dict,
    "suspend": bool,
    "ttlSecondsAfterFinished": int,
}
SPEC = {"enableDynamicWorker": bool, "runPolicy": dict, "successPolicy": str, "tfReplicaSpecs": dict}
REPLICA = {"replicas": int, "restartPolicy": str, "template": dict}
"""Fields and types of `kubeflow.org/v1`'s TFJobSpec, RunPolicy and ReplicaSpec."""


def fits(given: dict[str, Any], fields: dict[str, type]) -> bool:
    return all(name in fields and type(value) is fields[name] for name, value in given.items())


def job(**changes: Any) -> TrainingJob:
    recipe = {"training": recipe_of(Settings())["training"]}
    return TrainingJob(**{"workers": 3, "image": "registry/recsys:1", "recipe": recipe} | changes)


@pytest.mark.parametrize("gpu", [True, False])
def test_it_is_a_tfjob_whose_pods_kubernetes_takes(gpu: bool) -> None:
    manifest = job(gpu=gpu).manifest()
    assert (manifest["apiVersion"], manifest["kind"]) == ("kubeflow.org/v1", "TFJob")
    spec = manifest["spec"]
    assert fits(spec, SPEC)
    assert fits(spec["runPolicy"], RUN_POLICY)
    assert spec["successPolicy"] in {"", "AllWorkers"}
    assert spec["runPolicy"]["cleanPodPolicy"] in {"All", "Running", "None"}
    assert set(spec["tfReplicaSpecs"]) <= {"Chief", "Worker", "PS", "Evaluator"}
    (replica,) = spec["tfReplicaSpecs"].values()
    assert fits(replica, REPLICA)
    assert replica["restartPolicy"] in {"Always", "OnFailure", "Never", "ExitCode"}
    template = replica["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", **template["metadata"]}}
    for version in ("1.31", "1.35"):
        kubernetes_validate.validate({**pod, "spec": template["spec"]}, version, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**pod, "spec": {**template["spec"], "volume": []}}, "1.35", strict=True)


def test_the_operator_knows_the_container_and_its_port() -> None:
    (container,) = job().manifest()["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"]["containers"]
    assert container["name"] == "tensorflow"
    assert {"containerPort": 2222, "name": "tfjob-port"} in container["ports"]


def test_each_worker_has_one_gpu_or_none() -> None:
    for gpu in (True, False):
        pod = job(gpu=gpu).manifest()["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"]
        limits = pod["containers"][0]["resources"]["limits"]
        assert limits.get("nvidia.com/gpu", 0) == int(gpu)
        assert bool(pod.get("tolerations")) == gpu
        assert pod["nodeSelector"] == {"recsys/pool": "gpu" if gpu else "cpu"}


def test_no_root_no_token_nothing_secret() -> None:
    pod = job().manifest()["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    text = job().yaml().lower()
    assert not [word for word in ("secret", "password", "admin_key", "hostpath") if word in text]


def test_the_recipe_arrives_whole() -> None:
    given = Settings(training={"seed": 5, "retrieval": {"epochs": 2}})
    made = job(recipe={"training": recipe_of(given)["training"]}, folder="run-7")
    worker = yaml.safe_load(made.yaml())["spec"]["tfReplicaSpecs"]["Worker"]
    (container,) = worker["template"]["spec"]["containers"]
    assert container["command"][-1] == "train_retrieval"
    assert container["args"][0] == "/artefacts/run-7"
    assert settings_of(json.loads(container["args"][1])).training == given.training
    assert worker["replicas"] == 3
    assert made.yaml() == made.yaml()


@pytest.mark.parametrize(
    "changes", [{"name": "Bad_Name"}, {"workers": 0}, {"folder": "/etc"}, {"folder": "a/../../b"}]
)
def test_what_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadUse):
        job(**changes)


def test_the_command_prints_it() -> None:
    said = CliRunner().invoke(
        app, ["pipeline", "training-job", "--workers", "4", "--image", "r/x:2", "--cpu-only"]
    )
    assert said.exit_code == 0, said.output
    made = yaml.safe_load(said.stdout)
    assert made["spec"]["tfReplicaSpecs"]["Worker"]["replicas"] == 4
