"""The daily fine-tuning on this machine: the current release learns the days since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from recsys.data.dataset import list_days
from recsys.errors import BadData
from recsys.kubeflow.events import Progress, StepEvent
from recsys.kubeflow.full import RELEASES, parts
from recsys.kubeflow.inputs import fingerprint, published, require_passed
from recsys.kubeflow.local import run_local
from recsys.kubeflow.recipe import recipe_of
from recsys.release.digest import json_sha256
from recsys.release.lineage import plan_lesson
from recsys.release.store import ReleaseStore
from recsys.settings import Settings


def run_daily(
    data_dir: Path,
    home: Path,
    settings: Settings,
    progress: Progress = print,
    *,
    days: Sequence[int] = (),
    release: int = 0,
    promote: Callable[[int], object] | None = None,
) -> int:
    """Fine-tunes a release on new days and publishes the outcome, or gives the one published before.

    The new release takes its parent's place if its gate lets it through and the parent is still current.

    Args:
        data_dir: A data set's folder, new days included.
        home: Where state lives; releases are in its `releases` folder.
        settings: The recipe and the floors.
        progress: Told of every event.
        days: The days to learn; empty for all newer than the parent's but the newest one, which judges.
        release: The parent; 0 for the current release.
        promote: Puts a release before the shop, pointer included; by default only the pointer moves. Called
            while the parent is the current release, also for a release that a killed run has published.

    Returns:
        The release number.

    Raises:
        BadData: There is no data set, or it cannot be used.
        BadUse: There is no release to start from, or no new day; see `recsys.release.lineage`.
        RecsysError: A step failed, or the gate refused the release (which is kept).
    """
    if not data_dir.is_dir():
        raise BadData(str(data_dir), "there is no such folder", "Give the folder of a data set")
    store = ReleaseStore(home.resolve() / RELEASES)
    lesson = plan_lesson(store, list_days(data_dir), days, release)
    recipe = recipe_of(settings)
    parent = store.show(lesson.parent)
    made_of = fingerprint("daily", data_dir, recipe, days=lesson.days, parent=parent.digest)
    number = published(store, made_of)
    if number is None:
        from pipelines.daily_finetuning import daily_finetuning

        arguments = {
            "data": str(data_dir.resolve()),
            "days": list(lesson.days),
            "release": lesson.parent,
            **_parts(recipe),
            "store": str(store.root),
            "fingerprint": made_of,
            "settings_fingerprint": json_sha256(recipe),
            "hold": True,
        }
        number = int(run_local(daily_finetuning, arguments, home, progress)["Output"])
    else:
        learned = ", ".join(map(str, lesson.days))
        note = f"Release {number} has learned day {learned} from release {lesson.parent}: nothing to train"
        progress(StepEvent("", "note", message=note))
    require_passed(store, number)
    if store.current() == lesson.parent:
        (promote or store.set_current)(number)
    return number


def _parts(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe as the pipeline takes it, by what depends on it."""
    found = parts(recipe)
    return {**found, "recipe": recipe["finetune"], "measure": found["recipe"]}
