"""The query tower learns new days."""

from kfp.dsl import Dataset, Input, Metrics, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def finetune_retrieval(
    parent: Input[Model],
    rows: Input[Dataset],
    recipe: dict,
    towers: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Trains the parent's query tower further and exports it; the candidate tower stays as it is.

    Args:
        parent: The release that learns.
        rows: Raw rows of the new days and the replayed ones.
        recipe: Settings of the fine-tuning.
        towers: Files of the release: the query tower, the parent's candidate tower, the click histories.
        metrics: Of the last epoch.
    """
    import shutil
    from pathlib import Path

    import pandas as pd

    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of
    from recsys.models import export, finetune_retrieval
    from recsys.models.finetune_parent import Parent

    release, out = Path(parent.path), Path(towers.path)
    frame = pd.read_parquet(Path(rows.path) / "rows.parquet")
    report(f"training on {len(frame):,} rows")
    settings = settings_of({"finetune": recipe}).finetune
    tuned = finetune_retrieval.tune(Parent.load(release), frame, settings, report)
    report("exporting")
    export.export_query(tuned.query, out)
    if tuned.state is not None:
        tuned.state.save(out)
    shutil.copyfile(release / "candidate_tower.onnx", out / "candidate_tower.onnx")
    shutil.copytree(release / "savedmodels/candidate_tower", out / "savedmodels/candidate_tower")
    for name, value in tuned.history[-1].items():
        metrics.log_metric(name, value)
