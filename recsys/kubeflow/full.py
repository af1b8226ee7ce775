"""The full training on this machine, from a data set to a release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recsys.errors import BadData, RecsysError
from recsys.kubeflow.events import Progress, StepEvent
from recsys.kubeflow.local import run_local
from recsys.kubeflow.recipe import recipe_of
from recsys.release.digest import code_sha256, json_sha256, tree_sha256
from recsys.release.manifest import library_versions
from recsys.release.store import ReleaseStore
from recsys.settings import Settings

RELEASES = "releases"


def run_full(data_dir: Path, home: Path, settings: Settings, progress: Progress = print) -> int:
    """Trains on a data set and publishes a release, or gives the one that these inputs made before.

    The first release that passes its gate becomes the current one; later ones wait for
    `recsys release promote`.

    Args:
        data_dir: A data set's folder.
        home: Where state lives; releases go to its `releases` folder.
        settings: The recipe and the floors.
        progress: Told of every event.

    Returns:
        The release number.

    Raises:
        BadData: There is no data set, or it cannot be used.
        RecsysError: A step failed, or the gate refused the release (which is kept).
    """
    if not data_dir.is_dir():
        raise BadData(str(data_dir), "there is no such folder", "Give the folder of a data set")
    store = ReleaseStore(home.resolve() / RELEASES)
    recipe = recipe_of(settings)
    fingerprint = _fingerprint(data_dir, recipe)
    number = _published(store, fingerprint)
    if number is None:
        from pipelines.full_training import full_training

        arguments = {
            "data": str(data_dir.resolve()),
            **_parts(recipe),
            "store": str(store.root),
            "fingerprint": fingerprint,
            "settings_fingerprint": json_sha256(recipe),
        }
        number = int(run_local(full_training, arguments, home, progress)["Output"])
    else:
        note = f"Data, recipe and code are those of release {number}: nothing to train"
        progress(StepEvent("", "note", message=note))
    verdict = store.show(number).gate
    if not verdict.passed:
        raise RecsysError(
            f"release {number}",
            f"refused by its gate: {verdict.reason}",
            f"It is kept; see `recsys release show {number}`",
        )
    return number


def _fingerprint(data_dir: Path, recipe: dict[str, Any]) -> str:
    """The hex sha256 of everything that decides the release."""
    made_of = {
        "kind": "full",
        "data": tree_sha256(data_dir),
        "recipe": recipe,
        "code": code_sha256(),
        "libraries": library_versions(),
    }
    return json_sha256(made_of)


def _parts(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe as the pipeline takes it: in parts, so that a new floor does not train anew."""
    sizes = {name: recipe[name] for name in ("serving", "evaluation")}
    training = {name: value for name, value in recipe.items() if name not in {*sizes, "gate"}}
    return {"recipe": training, "sizes": sizes, "floors": recipe["gate"]}


def _published(store: ReleaseStore, fingerprint: str) -> int | None:
    """The release made from these inputs, if every file of it is still what was published."""
    number = store.find(fingerprint)
    if number is None:
        return None
    try:
        store.verify(number)
    except BadData:
        return None  # train again: the damaged release keeps its number and is never served
    return number
