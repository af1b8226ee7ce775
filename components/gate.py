"""The gate between a trained release and the shop."""

from kfp.dsl import HTML, Artifact, Input, Metrics, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def gate(
    release: Input[Model],
    evaluation: Input[Artifact],
    parent: Input[Model],
    parent_evaluation: Input[Artifact],
    floors: dict,
    judgement: Output[Artifact],
    metrics: Output[Metrics],
    page: Output[HTML],
) -> str:
    """Runs the exported models, reads the evaluated rows, and compares both with limits and with the parent.

    Args:
        release: The assembled folder.
        evaluation: `evaluation.json` and `outcomes.npz`.
        parent: The folder of the release that it would replace; empty where there is none.
        parent_evaluation: That release's `outcomes.npz`, of the same rows.
        floors: Settings of the gate.
        judgement: `gate.json`: every check with its value, interval and limit.
        metrics: The checks' values.
        page: The same with plots.

    Returns:
        Why the release may not be served, in one line; empty when it passed.
    """
    import json
    from pathlib import Path

    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of
    from recsys.release.gate_page import gate_page
    from recsys.release.gate_trial import GATE_FILE, trial

    report("running the exported models", 0.0)
    found = trial(
        Path(release.path),
        Path(evaluation.path),
        settings_of({"gate": floors}),
        Path(parent.path),
        Path(parent_evaluation.path),
    )
    Path(judgement.path).mkdir(parents=True)
    Path(judgement.path, GATE_FILE).write_text(json.dumps(found, indent=1) + "\n")
    Path(page.path).write_text(gate_page(found), encoding="utf-8")
    for check in found["checks"]:
        if check["value"] is not None:
            metrics.log_metric(check["metric"], check["value"])
    report("passed" if found["passed"] else f"refused: {found['reason']}", 1.0)
    return str(found["reason"])
