"""The release that a new one would replace."""

from kfp.dsl import Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def take_current(store: str, current: Output[Model]) -> None:
    """Fetches the current release's files, each checked against its hash.

    Args:
        store: The release store: a folder, or a URL such as `s3://bucket/releases`.
        current: Its folder; empty where no release is current yet.
    """
    import shutil
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from recsys.kubeflow.events import report
    from recsys.release.fetch import fetch
    from recsys.release.remote import open_store

    number = open_store(store).current()
    Path(current.path).mkdir(parents=True)
    if number is None:
        report("no release is current", 1.0)
        return
    with TemporaryDirectory() as folder:
        fetch(store, Path(folder), number)
        shutil.copytree(Path(folder, "releases", str(number)), current.path, dirs_exist_ok=True)
    report(f"release {number} is current", 1.0)
