"""The ranker."""

from kfp.dsl import Dataset, Input, Metrics, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def train_ranking(
    rows: Input[Dataset],
    workflows: Input[Model],
    tables: Input[Dataset],
    data: Input[Dataset],
    towers: Input[Model],
    recipe: dict,
    ranker: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Trains DLRM on top of the towers and exports it.

    Args:
        rows: The raw training rows.
        workflows: The fitted NVTabular workflows.
        tables: Image and text embeddings of the items.
        data: The validated data set, for its catalogue.
        towers: The exported towers, from whose embeddings and candidates it learns.
        recipe: Settings of the training.
        ranker: Files of the release: DLRM as ONNX and as SavedModel.
        metrics: Of the last epoch.
    """
    from pathlib import Path

    from recsys.data.dataset import Dataset as ShopData
    from recsys.encoders.catalogue import MultimodalTables
    from recsys.features.row_file import ROWS_FILE, RowFile
    from recsys.features.workflows import load
    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of
    from recsys.models import dlrm, export
    from recsys.models.examples import Catalogue

    fitted = load(workflows.path)
    embeddings = MultimodalTables.load(Path(tables.path))
    catalogue = Catalogue.build(ShopData.open(data.path).items, fitted, embeddings.image, embeddings.text)
    raw = RowFile(Path(rows.path, ROWS_FILE))
    report(f"training on {len(raw):,} rows")
    settings = settings_of(recipe)
    half_life_s = settings.popularity.half_life_s
    built_on = Path(towers.path)
    trained = dlrm.train(raw, catalogue, fitted, settings.training, report, built_on, half_life_s=half_life_s)
    report("exporting")
    export.export_ranker(trained, Path(ranker.path))
    for name, value in trained.history[-1].items():
        metrics.log_metric(name, value)
