"""All files of a fine-tuned release in one folder."""

from kfp.dsl import Dataset, Input, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def assemble_daily(
    data: Input[Dataset],
    parent: Input[Model],
    towers: Input[Model],
    ranker: Input[Model],
    new_days: list,
    release: Output[Model],
) -> None:
    """Puts what has learned in the place of the parent's files; the others stay byte for byte.

    Args:
        data: The validated data set.
        parent: The release that learned.
        towers: The fine-tuned query tower with the parent's candidate tower.
        ranker: The fine-tuned ranker.
        new_days: The days that were learned.
        release: The folder: everything of a release but its manifest.
    """
    from pathlib import Path

    from recsys.data.dataset import Dataset as ShopData
    from recsys.release.daily import assemble_daily

    parts = [Path(towers.path), Path(ranker.path)]
    days = [int(day) for day in new_days]
    assemble_daily(Path(parent.path), ShopData.open(data.path), days, parts, Path(release.path))
