"""What the release would recommend, measured on days it has not seen."""

from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def evaluate(
    release: Input[Artifact],
    data: Input[Dataset],
    recipe: dict,
    sizes: dict,
    evaluation: Output[Artifact],
    metrics: Output[Metrics],
    page: Output[HTML],
) -> None:
    """Runs retrieval, the whole chain and the baselines on the validation days.

    Args:
        release: The assembled folder.
        data: The validated data set.
        recipe: Settings of the training.
        sizes: Settings of the served chain and of the evaluation.
        evaluation: `evaluation.json`, as `recsys evaluate --json` prints it, and `outcomes.npz`, its rows.
        metrics: Its main numbers.
        page: The same with plots.
    """
    import json
    from pathlib import Path

    from recsys.data.dataset import Dataset as ShopData
    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of
    from recsys.models.evaluate import evaluate as evaluate_release
    from recsys.release.evaluation_report import evaluation_page

    settings = settings_of({**recipe, **sizes})
    Path(evaluation.path).mkdir(parents=True)
    found = evaluate_release(
        Path(release.path),
        ShopData.open(data.path),
        settings,
        report,
        outcomes_dir=Path(evaluation.path),
    )
    Path(evaluation.path, "evaluation.json").write_text(json.dumps(found, indent=1) + "\n")
    Path(page.path).write_text(evaluation_page(found), encoding="utf-8")
    for part in ("retrieval", "chain", "ranker"):
        for name, value in found[part].items():
            metrics.log_metric(f"{part}.{name}", value)
