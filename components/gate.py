"""The gate between a trained release and the shop."""

from kfp.dsl import HTML, Artifact, Input, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def gate(evaluation: Input[Artifact], floors: dict, page: Output[HTML]) -> str:
    """Compares the evaluation with the floors.

    Args:
        evaluation: `evaluation.json`.
        floors: Settings of the gate.
        page: Each rule with its value and floor.

    Returns:
        Why the release may not be served, in one line; empty when it passed.
    """
    import json
    from pathlib import Path

    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of
    from recsys.release.gate import judge
    from recsys.release.report import gate_page

    metrics = json.loads(Path(evaluation.path, "evaluation.json").read_text())
    settings = settings_of({"gate": floors}).gate
    Path(page.path).write_text(gate_page(metrics, settings), encoding="utf-8")
    verdict = judge(metrics, settings)
    report("passed" if verdict.passed else f"refused: {verdict.reason}", 1.0)
    return verdict.reason
