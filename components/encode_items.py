"""Image and text embeddings of the catalogue."""

from kfp.dsl import Dataset, Input, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def encode_items(data: Input[Dataset], recipe: dict, tables: Output[Dataset]) -> None:
    """Encodes every item's picture and description into 64 dimensions each.

    Args:
        data: The validated data set.
        recipe: Settings of the training, which name the encoders.
        tables: Files of the release: the two tables, which images are missing, and the fitted encoders.
    """
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from recsys.data.dataset import Dataset as ShopData
    from recsys.encoders.catalogue import encode_catalogue
    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of

    dataset = ShopData.open(data.path)
    report(f"encoding {len(dataset.items):,} items", 0.0)
    with TemporaryDirectory() as folder:  # Kubeflow keeps what this step puts out, so it keeps nothing itself
        made = encode_catalogue(dataset, settings_of(recipe), Path(folder))
        made.save(Path(tables.path))
    tables.metadata["images missing"] = int(made.image_missing.sum())
