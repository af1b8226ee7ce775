"""First step of a fine-tuning: the release that learns, and which days."""

from typing import NamedTuple

from kfp.dsl import Dataset, Input, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def take_parent(
    source: Input[Dataset],
    store: str,
    release: int,
    days: list,
    parent: Output[Model],
) -> NamedTuple("Taken", [("number", int), ("new_days", list), ("older_days", list), ("all_days", list)]):  # type: ignore[valid-type]  # Kubeflow's own form
    """Chooses the parent and the days, and fetches the parent's files, each checked against its hash.

    Args:
        source: The data set, for the days that it holds.
        store: The release store: a folder, or a URL such as `s3://bucket/releases`.
        release: The parent's number; 0 for the current one.
        days: The days to learn; empty for all newer than the parent's but the newest one, which judges.
        parent: The parent's folder.

    Returns:
        The parent's number, the new days, the days learned before that the data still holds, and both.
    """
    import shutil
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from recsys.data.dataset import list_days
    from recsys.kubeflow.events import report
    from recsys.release.fetch import fetch
    from recsys.release.lineage import plan_lesson
    from recsys.release.remote import open_store

    there = list_days(Path(source.path))
    lesson = plan_lesson(open_store(store), there, [int(day) for day in days], release)
    report(f"release {lesson.parent} learns days {', '.join(map(str, lesson.days))}", 0.1)
    with TemporaryDirectory() as folder:
        fetch(store, Path(folder), lesson.parent)
        shutil.copytree(Path(folder, "releases", str(lesson.parent)), parent.path)
    older = [day for day in lesson.learned if day in there]
    return (lesson.parent, list(lesson.days), older, sorted({*older, *lesson.days}))
