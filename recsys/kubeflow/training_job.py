"""The two towers' training over several nodes: a TFJob of Kubeflow's training operator, from the recipe.

Each worker runs the pipeline's own component (`recsys.kubeflow.step`) over a volume that all mount; by
`TF_CONFIG`, which the operator sets, they find each other (`recsys.models.parallel`). The first one writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from recsys.errors import BadUse

STEP: Final = "train_retrieval"
_ARTEFACTS: Final = "/artefacts"
_CONTAINER: Final = "tensorflow"
"""The name by which the operator knows the container that gets TF_CONFIG and the port."""

_USER: Final = 1000
_GPU: Final = "nvidia.com/gpu"
_NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")
_CUDA_NOTHING: Final = {"name": "CUDA_VISIBLE_DEVICES", "value": ""}


@dataclass(frozen=True)
class TrainingJob:
    """What is to run.

    Attributes:
        workers: Processes, one a node.
        image: That of the pipeline's steps.
        recipe: Of `recsys.kubeflow.recipe.recipe_of`.
        gpu: Whether each has a GPU; never more than one, since each process is one replica of the model.
        claim: Volume that all nodes can mount, with the artefacts of the steps before.
        folder: Of the artefacts in the volume.
        name: Of the job.
        namespace: Where it runs; empty for kubectl's own.
        cpu: Cores of each worker.
        memory: Of each worker.
        longest_s: Time limit of the whole job.
    """

    workers: int
    image: str
    recipe: Mapping[str, Any]
    gpu: bool = True
    claim: str = "recsys-training"
    folder: str = "."
    name: str = "recsys-towers"
    namespace: str = ""
    cpu: str = "4"
    memory: str = "32Gi"
    longest_s: int = 6 * 3600

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadUse(f"name {self.name}", "not a name of Kubernetes", "Use lower case, digits and dashes")
        if self.workers < 1:
            raise BadUse(f"{self.workers} workers", "too few", "Give 1 at least")
        if self.folder.startswith("/") or ".." in self.folder.split("/"):
            raise BadUse(f"folder {self.folder}", "leads out of the volume", "Give one inside it")

    def manifest(self) -> dict[str, Any]:
        """The TFJob, `kubeflow.org/v1`.

        A worker that fails is started again, and the others with it: without one no step can be taken.
        """
        metadata = {"name": self.name, "labels": self._labels()}
        if self.namespace:
            metadata["namespace"] = self.namespace
        return {
            "apiVersion": "kubeflow.org/v1",
            "kind": "TFJob",
            "metadata": metadata,
            "spec": {
                "runPolicy": {
                    "activeDeadlineSeconds": self.longest_s,
                    "backoffLimit": 3,
                    "cleanPodPolicy": "All",
                    "ttlSecondsAfterFinished": 7 * 86_400,
                },
                "successPolicy": "AllWorkers",
                "tfReplicaSpecs": {
                    "Worker": {
                        "replicas": self.workers,
                        "restartPolicy": "OnFailure",
                        "template": {"metadata": {"labels": self._labels()}, "spec": self._pod()},
                    }
                },
            },
        }

    def yaml(self) -> str:
        """The TFJob as text; the same job, the same bytes."""
        text: str = yaml.safe_dump(self.manifest(), sort_keys=False, width=1_000)
        return text

    def _labels(self) -> dict[str, str]:
        return {"app.kubernetes.io/name": "recsys", "app.kubernetes.io/component": "training"}

    def _pod(self) -> dict[str, Any]:
        spread = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": self._labels()},
        }
        pod: dict[str, Any] = {
            "automountServiceAccountToken": False,
            "containers": [self._container()],
            "nodeSelector": {"recsys/pool": "gpu" if self.gpu else "cpu"},
            "securityContext": {
                "fsGroup": _USER,
                "runAsGroup": _USER,
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "topologySpreadConstraints": [spread],
            "volumes": [
                {"name": "artefacts", "persistentVolumeClaim": {"claimName": self.claim}},
                {"name": "scratch", "emptyDir": {}},
                {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}},
            ],
        }
        if self.gpu:
            pod["tolerations"] = [{"key": _GPU, "operator": "Exists", "effect": "NoSchedule"}]
        return pod

    def _container(self) -> dict[str, Any]:
        limits = {"memory": self.memory} | ({_GPU: 1} if self.gpu else {})
        own = [{"name": "RECSYS_GPU", "value": "true"}] if self.gpu else [_CUDA_NOTHING]
        return {
            "name": _CONTAINER,
            "image": self.image,
            "command": ["python", "-m", "recsys.kubeflow.step", STEP],
            "args": [f"{_ARTEFACTS}/{self.folder}", json.dumps(self.recipe, sort_keys=True)],
            "env": [*own, {"name": "HOME", "value": "/tmp"}, {"name": "TF_CPP_MIN_LOG_LEVEL", "value": "2"}],  # noqa: S108
            "ports": [{"containerPort": 2222, "name": "tfjob-port"}],
            "resources": {"limits": limits, "requests": {"cpu": self.cpu, "memory": self.memory}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
            "volumeMounts": [
                {"mountPath": _ARTEFACTS, "name": "artefacts"},
                {"mountPath": "/tmp", "name": "scratch"},  # noqa: S108
                {"mountPath": "/dev/shm", "name": "shared-memory"},  # noqa: S108
            ],
        }
