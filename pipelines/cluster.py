"""What a step asks of a Kubernetes cluster; the local runner passes all of it over."""

from kfp import kubernetes
from kfp.dsl import PipelineTask

POOL_LABEL = "recsys/pool"
"""Label of the nodes; its value is `cpu` or `gpu`."""

RELEASE_CLAIM = "recsys-releases"
RELEASE_MOUNT = "/releases"

_GPU = "nvidia.com/gpu"
_RETRIES = 2


def on_cpu(task: PipelineTask, cpu: str = "2", memory: str = "8G") -> PipelineTask:
    """Places a step on a CPU node, with retries and caching.

    Args:
        task: The step.
        cpu: Cores it asks for.
        memory: What it asks for and may not exceed.
    """
    kubernetes.add_node_selector(task, POOL_LABEL, "cpu")
    return _robust(task.set_cpu_request(cpu).set_memory_request(memory).set_memory_limit(memory))


def on_gpu(task: PipelineTask, cpu: str = "4", memory: str = "32G") -> PipelineTask:
    """Places a step on a GPU node, with retries, caching and shared memory for the data loader.

    Args:
        task: The step.
        cpu: Cores it asks for.
        memory: What it asks for and may not exceed.
    """
    kubernetes.add_node_selector(task, POOL_LABEL, "gpu")
    kubernetes.add_toleration(task, key=_GPU, operator="Exists", effect="NoSchedule")
    kubernetes.empty_dir_mount(task, "shared-memory", "/dev/shm", medium="Memory", size_limit="8Gi")  # noqa: S108
    task.set_accelerator_type(_GPU).set_accelerator_limit(1).set_env_variable("RECSYS_GPU", "true")
    return _robust(task.set_cpu_request(cpu).set_memory_request(memory).set_memory_limit(memory))


def with_releases(task: PipelineTask) -> PipelineTask:
    """Mounts the volume of releases, which only the publishing step writes."""
    return kubernetes.mount_pvc(task, RELEASE_CLAIM, RELEASE_MOUNT)


def _robust(task: PipelineTask) -> PipelineTask:
    task.set_retry(_RETRIES, backoff_duration="30s", backoff_factor=2, backoff_max_duration="600s")
    return task.set_caching_options(True)
