"""The current release on the rows that the new one is judged by."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def remeasure(current: Input[Model], data: Input[Dataset], sizes: dict, evaluation: Output[Artifact]) -> None:
    """Runs retrieval, chain and ranker of an older release on the validation days.

    Args:
        current: Its folder; empty where there is none.
        data: The validated data set of the new release.
        sizes: Settings of the served chain and of the evaluation, as the new release is evaluated with.
        evaluation: `outcomes.npz`, what became of each row; empty where there is no release.
    """
    from pathlib import Path

    from recsys import schema
    from recsys.data.dataset import Dataset as ShopData
    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of
    from recsys.models.remeasure import remeasure as remeasure_release

    Path(evaluation.path).mkdir(parents=True)
    if not Path(current.path, schema.MANIFEST_FILE).is_file():
        return
    report("the current release on the same rows", 0.0)
    found = remeasure_release(
        Path(current.path),
        ShopData.open(data.path),
        settings_of(sizes),
        lambda share: report("the current release on the same rows", share),
    )
    found.save(Path(evaluation.path))
