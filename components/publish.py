"""Last step: the release in its store."""

from kfp.dsl import Artifact, Dataset, Input, Model, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def publish(
    release: Input[Model],
    evaluation: Input[Artifact],
    data: Input[Dataset],
    judgement: Input[Artifact],
    store: str,
    fingerprint: str,
    settings_fingerprint: str,
    parent: int = 0,
) -> int:
    """Publishes a release, refused ones too; the first that passed becomes the current one.

    Args:
        release: The assembled folder.
        evaluation: `evaluation.json`.
        data: The validated data set.
        judgement: `gate.json`, what the gate found.
        store: The release store: a folder, or a URL such as `s3://bucket/releases`.
        fingerprint: Of the inputs that made the release; by default its content's, so that a
            step that is tried again publishes once.
        settings_fingerprint: Of the settings alone.
        parent: The release that it was fine-tuned from; 0: it was trained anew.

    Returns:
        The release number.
    """
    import json
    from pathlib import Path

    from recsys.data.dataset import Dataset as ShopData
    from recsys.data.splits import train_days
    from recsys.kubeflow.events import report
    from recsys.release.digest import tree_sha256
    from recsys.release.gate_trial import GATE_FILE
    from recsys.release.manifest import DataWindow, Verdict
    from recsys.release.remote import open_store
    from recsys.release.tracking import on_publish
    from recsys.settings import get_settings

    dataset = ShopData.open(data.path)
    days = train_days(dataset)
    window = DataWindow(
        fingerprint=dataset.fingerprint(),
        days=days,
        rows=len(dataset.interactions(days)),
        users=len(dataset.users),
        items=len(dataset.items),
    )
    found = json.loads(Path(judgement.path, GATE_FILE).read_text())
    releases = open_store(store)
    number = releases.publish(
        Path(release.path),
        data=window,
        metrics=json.loads(Path(evaluation.path, "evaluation.json").read_text()),
        kind="daily" if parent else "full",
        parent=parent or None,
        gate=Verdict(passed=found["passed"], reason=found["reason"], report=found),
        fingerprint=fingerprint or tree_sha256(Path(release.path)),
        settings_fingerprint=settings_fingerprint,
    )
    if found["passed"] and releases.current() is None:
        releases.set_current(number)
    keep = get_settings().releases.keep
    if keep:
        releases.prune(keep, protected=(number,))
    trouble = on_publish(releases)
    if trouble:
        report(trouble)
    return number
