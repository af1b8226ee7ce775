"""The index of all items' embeddings."""

from kfp.dsl import Dataset, Input, Metrics, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def build_index(
    data: Input[Dataset],
    serving: Input[Model],
    tables: Input[Dataset],
    towers: Input[Model],
    index: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Runs the catalogue through the exported candidate tower and builds the FAISS index.

    Args:
        data: The validated data set.
        serving: The item workflow's array form.
        tables: Image and text embeddings of the items.
        towers: The exported towers.
        index: `index.faiss` and `index.json`.
        metrics: Which kind it is, and its recall where that was measured.
    """
    from pathlib import Path

    import numpy as np

    from recsys import schema
    from recsys.data.dataset import Dataset as ShopData
    from recsys.features.arrays import ArrayWorkflow
    from recsys.index.index import build
    from recsys.kubeflow.events import report
    from recsys.release.vectors import item_vectors

    items = ShopData.open(data.path).items
    report(f"embedding {len(items):,} items", 0.0)
    vectors = item_vectors(
        Path(towers.path, schema.CANDIDATE_TOWER_ONNX),
        ArrayWorkflow.load(serving.path, schema.ITEM_WORKFLOW),
        items,
        np.load(Path(tables.path, schema.IMAGE_EMBEDDINGS_FILE)),
        np.load(Path(tables.path, schema.TEXT_EMBEDDINGS_FILE)),
    )
    report("building the index", 0.5)
    built = build(vectors)
    Path(index.path).mkdir(parents=True)
    built.save(Path(index.path))
    metrics.log_metric("kind", built.meta.kind)
    metrics.log_metric("items", built.meta.items)
    if built.meta.recall is not None:
        metrics.log_metric("recall@300", built.meta.recall)
