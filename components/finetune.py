"""The query tower and the ranker learn new days."""

from kfp.dsl import Dataset, Input, Metrics, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def finetune(
    parent: Input[Model],
    rows: Input[Dataset],
    recipe: dict,
    towers: Output[Model],
    ranker: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Trains the parent's query tower further, then its ranker on top of that, and exports both.

    One step for both, as starting the libraries takes as long as learning a day.

    Args:
        parent: The release that learns.
        rows: Raw rows of the new days and the replayed ones.
        recipe: Settings of the fine-tuning.
        towers: Files of the release: the query tower, the parent's candidate tower, the click histories.
        ranker: Files of the release: DLRM as ONNX and as SavedModel.
        metrics: Of the last epochs.
    """
    from pathlib import Path

    import pandas as pd

    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of
    from recsys.models import finetune_ranking, finetune_retrieval
    from recsys.models.finetune_parent import Parent
    from recsys.models.towers import Towers

    frame = pd.read_parquet(Path(rows.path) / "rows.parquet")
    settings = settings_of({"finetune": recipe}).finetune
    release = Parent.load(Path(parent.path))
    report(f"query tower: training on {len(frame):,} rows", 0.0)
    tuned = finetune_retrieval.tune(release, frame, settings, report)
    finetune_retrieval.export_tuned(tuned, release, Path(towers.path))
    report("ranker: training", 0.5)
    with tuned.before_held() as query:
        retrieval = Towers.load(Path(towers.path), release.catalogue, query)
        made = finetune_ranking.tune(release, frame, retrieval, settings, report)
    finetune_ranking.export_tuned(made, release, Path(ranker.path))
    for model, history in (("query tower", tuned.history), ("ranker", made.history)):
        for name, value in history[-1].items():
            metrics.log_metric(f"{model} {name}", value)
