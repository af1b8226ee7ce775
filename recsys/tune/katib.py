"""The search as a Katib experiment: the cluster draws the settings and runs the trials side by side."""

from __future__ import annotations

from typing import Any

import yaml

from recsys.errors import BadUse
from recsys.settings import Settings
from recsys.tune.space import SPACE, Choice, Range

_METRIC = "ndcg"
_PARALLEL = 4


def experiment(settings: Settings, trials: int, image: str) -> str:
    """The experiment as YAML (API kubeflow.org/v1beta1).

    A trial is a job that runs `recsys tune --trials 1` with its settings in the environment, on the data
    of the mounted volume, and prints the objective for Katib's collector.

    Args:
        settings: Give the seed.
        trials: How many.
        image: Container image of a trial.

    Raises:
        BadUse: No image is named.
    """
    if not image:
        raise BadUse(
            "--image", "a trial on a cluster needs a container image", "Give --image REGISTRY/NAME:TAG"
        )
    names = {name: f"p{number}" for number, name in enumerate(SPACE)}
    document: dict[str, Any] = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "recsys-tune"},
        "spec": {
            "objective": {"type": "maximize", "objectiveMetricName": _METRIC},
            "algorithm": {
                "algorithmName": "tpe",
                "algorithmSettings": [{"name": "random_state", "value": str(settings.training.seed)}],
            },
            "maxTrialCount": trials,
            "parallelTrialCount": min(_PARALLEL, trials),
            "maxFailedTrialCount": 3,
            "metricsCollectorSpec": {"collector": {"kind": "StdOut"}},
            "parameters": [_parameter(names[name], part) for name, part in SPACE.items()],
            "trialTemplate": _template(names, image),
        },
    }
    return str(yaml.safe_dump(document, sort_keys=False))


def _parameter(name: str, part: Range | Choice) -> dict[str, Any]:
    if isinstance(part, Choice):
        values = {"list": [str(value) for value in part.values]}
        return {"name": name, "parameterType": "categorical", "feasibleSpace": values}
    space = {"min": _text(part, part.low), "max": _text(part, part.high)}
    if part.logarithmic:
        space["distribution"] = "logUniform"
    return {"name": name, "parameterType": "int" if part.whole else "double", "feasibleSpace": space}


def _text(part: Range, value: float) -> str:
    return str(int(value)) if part.whole else f"{value:g}"


def _template(names: dict[str, str], image: str) -> dict[str, Any]:
    environment = [
        {"name": f"RECSYS_{name.upper().replace('.', '__')}", "value": f"${{trialParameters.{short}}}"}
        for name, short in names.items()
    ]
    container = {
        "name": "trial",
        "image": image,
        "command": ["recsys", "tune", "--data", "/data", "--once"],
        "env": [*environment, {"name": "RECSYS_HOME", "value": "/tmp/recsys"}],  # noqa: S108 - of its own container
        "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
        "securityContext": {
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "metadata": {"annotations": {"sidecar.istio.io/inject": "false"}},
        "spec": {
            "containers": [container],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "recsys-data"}}],
            "restartPolicy": "Never",
        },
    }
    return {
        "primaryContainerName": "trial",
        "trialParameters": [
            {"name": short, "reference": short, "description": name} for name, short in names.items()
        ],
        "trialSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": pod, "backoffLimit": 0}},
    }
