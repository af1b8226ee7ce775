"""The ranker learns new days."""

from kfp.dsl import Dataset, Input, Metrics, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def finetune_ranking(
    parent: Input[Model],
    rows: Input[Dataset],
    towers: Input[Model],
    recipe: dict,
    ranker: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Trains the parent's DLRM further, on top of the fine-tuned towers, and exports it.

    Args:
        parent: The release that learns.
        rows: Raw rows of the new days and the replayed ones.
        towers: The fine-tuned query tower and the parent's candidate tower.
        recipe: Settings of the fine-tuning.
        ranker: Files of the release: DLRM as ONNX and as SavedModel.
        metrics: Of the last epoch.
    """
    from pathlib import Path

    import pandas as pd

    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of
    from recsys.models import export, finetune_ranking
    from recsys.models.finetune_parent import Parent

    frame = pd.read_parquet(Path(rows.path) / "rows.parquet")
    report(f"training on {len(frame):,} rows")
    settings = settings_of({"finetune": recipe}).finetune
    release = Parent.load(Path(parent.path))
    tuned = finetune_ranking.tune(release, frame, Path(towers.path), settings, report)
    report("exporting")
    export.export_ranker(tuned, Path(ranker.path))
    for name, value in tuned.history[-1].items():
        metrics.log_metric(name, value)
