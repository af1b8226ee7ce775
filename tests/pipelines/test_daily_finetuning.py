from __future__ import annotations

from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden" / "daily_finetuning.yaml"
STORE_STEPS = {"take-parent", "publish", "promote"}
STEPS = STORE_STEPS | {
    "validate",
    "daily-features",
    "finetune",
    "assemble-daily",
    "remeasure",
    "evaluate",
    "gate",
}


def _artefact(task: Any, name: str) -> tuple[str, str]:
    given = task.inputs.artifacts[name].task_output_artifact
    return given.producer_task, given.output_artifact_key


def test_compiling_again_gives_the_committed_bytes(compiled: Path) -> None:
    assert compiled.read_bytes() == GOLDEN.read_bytes(), (
        "The pipeline changed: look at the difference, then run "
        "`recsys pipeline compile --out tests/pipelines/golden`"
    )


def test_every_step_is_there_and_named(spec: Any, configs: dict[str, Any]) -> None:
    assert set(spec.root.dag.tasks) == STEPS | {"importer"}
    assert set(configs) == STEPS


def test_parent_and_child_are_measured_on_the_same_rows(spec: Any) -> None:
    tasks = spec.root.dag.tasks
    assert _artefact(tasks["remeasure"], "data") == _artefact(tasks["evaluate"], "data")
    sizes = [tasks[name].inputs.parameters["sizes"] for name in ("remeasure", "evaluate")]
    assert sizes[0] == sizes[1]
    assert _artefact(tasks["remeasure"], "current") == ("take-parent", "parent")
    assert _artefact(tasks["evaluate"], "release") == ("assemble-daily", "release")
    assert _artefact(tasks["gate"], "parent_evaluation") == ("remeasure", "evaluation")
    assert _artefact(tasks["gate"], "evaluation") == ("evaluate", "evaluation")


def test_a_release_is_published_as_judged_and_promoted_last(spec: Any) -> None:
    tasks = spec.root.dag.tasks
    assert _artefact(tasks["publish"], "release") == _artefact(tasks["evaluate"], "release")
    assert {"gate", "take-parent"} <= set(tasks["publish"].dependent_tasks)
    assert {"gate", "publish"} <= set(tasks["promote"].dependent_tasks)


def test_the_days_that_train_decide_what_validates(spec: Any) -> None:
    given = spec.root.dag.tasks["validate"].inputs.parameters["days"].task_output_parameter
    assert (given.producer_task, given.output_parameter_key) == ("take-parent", "all_days")


def test_what_reads_or_writes_the_store_is_never_cached(spec: Any) -> None:
    cached = {name for name, task in spec.root.dag.tasks.items() if task.caching_options.enable_cache}
    assert cached == STEPS - STORE_STEPS | {"importer"}


def test_only_those_see_the_releases(configs: dict[str, Any]) -> None:
    mounted = {name for name, config in configs.items() if config.pvc_mount}
    assert mounted == STORE_STEPS


def test_only_the_training_step_asks_for_a_gpu(spec: Any, configs: dict[str, Any]) -> None:
    for name in STEPS:
        executor = spec.deployment_spec["executors"][f"exec-{name}"]["container"]
        pool = "gpu" if name == "finetune" else "cpu"
        assert dict(configs[name].node_selector.labels) == {"recsys/pool": pool}
        assert ("accelerator" in dict(executor["resources"])) == (pool == "gpu")
        assert spec.root.dag.tasks[name].retry_policy.max_retry_count == 2
