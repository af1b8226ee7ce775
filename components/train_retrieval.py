"""The two towers."""

from kfp.dsl import Dataset, Input, Metrics, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def train_retrieval(
    rows: Input[Dataset],
    workflows: Input[Model],
    tables: Input[Dataset],
    data: Input[Dataset],
    recipe: dict,
    towers: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Trains the two-tower model, alone or with the other workers of a job, and exports both towers.

    Args:
        rows: The raw training rows.
        workflows: The fitted NVTabular workflows.
        tables: Image and text embeddings of the items.
        data: The validated data set, for its catalogue.
        recipe: Settings of the training.
        towers: Files of the release: both towers as ONNX and as SavedModel.
        metrics: Of the last epoch.
    """
    from pathlib import Path

    from recsys.data.dataset import Dataset as ShopData
    from recsys.encoders.catalogue import MultimodalTables
    from recsys.features.row_file import ROWS_FILE, RowFile
    from recsys.features.workflows import load
    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of
    from recsys.models import export, two_tower
    from recsys.models.examples import Catalogue
    from recsys.models.parallel import here

    workers = here()  # before anything else of TensorFlow
    fitted = load(workflows.path)
    embeddings = MultimodalTables.load(Path(tables.path))
    catalogue = Catalogue.build(ShopData.open(data.path).items, fitted, embeddings.image, embeddings.text)
    raw = RowFile(Path(rows.path, ROWS_FILE))
    report(f"training on {len(raw):,} rows")
    trained = two_tower.train(raw, catalogue, fitted, settings_of(recipe).training, report, workers=workers)
    if not workers.is_chief:
        return  # what it has learned is the same
    report("exporting")
    export.export_towers(trained, Path(towers.path))
    for name, value in trained.history[-1].items():
        metrics.log_metric(name, value)
