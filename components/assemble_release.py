"""All files of a release in one folder."""

from kfp.dsl import Dataset, Input, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def assemble_release(
    data: Input[Dataset],
    serving: Input[Model],
    tables: Input[Dataset],
    towers: Input[Model],
    ranker: Input[Model],
    index: Input[Model],
    release: Output[Model],
) -> None:
    """Brings the steps' artefacts together with the catalogue and its popularity, and checks them.

    Args:
        data: The validated data set.
        serving: The workflows' array form, the mean age and Feast's rows.
        tables: Image and text embeddings of the items.
        towers: The exported towers.
        ranker: The exported ranker.
        index: The index.
        release: The folder: everything of a release but its manifest.
    """
    from pathlib import Path

    from recsys.data.dataset import Dataset as ShopData
    from recsys.data.splits import train_days
    from recsys.release.assemble import assemble

    dataset = ShopData.open(data.path)
    parts = [Path(part.path) for part in (serving, tables, towers, ranker, index)]
    assemble(dataset, train_days(dataset), parts, Path(release.path))
