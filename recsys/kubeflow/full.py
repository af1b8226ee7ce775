"""The full training on this machine, from a data set to a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys.kubeflow.events import Progress, StepEvent
from recsys.kubeflow.inputs import fingerprint, published, require_passed
from recsys.kubeflow.local import run_local
from recsys.kubeflow.recipe import recipe_of
from recsys.release.digest import json_sha256
from recsys.release.store import ReleaseStore
from recsys.settings import Settings

RELEASES = "releases"


def run_full(
    data_dir: Path, home: Path, settings: Settings, progress: Progress = print, days: Sequence[int] = ()
) -> int:
    """Trains on a data set and publishes a release, or gives the one that these inputs made before.

    The first release that passes its gate becomes the current one; later ones wait for
    `recsys release promote`.

    Args:
        data_dir: A data set's folder.
        home: Where state lives; releases go to its `releases` folder.
        settings: The recipe and the floors.
        progress: Told of every event.
        days: To train on; the next ones validate. Empty for `recsys.schema.TRAIN_DAYS`.

    Returns:
        The release number.

    Raises:
        BadData: There is no data set, or it cannot be used.
        RecsysError: A step failed, or the gate refused the release (which is kept).
    """
    store = ReleaseStore(home.resolve() / RELEASES)
    recipe = {name: value for name, value in recipe_of(settings).items() if name != "finetune"}
    made_of = fingerprint("full", data_dir, recipe, **({"days": sorted(days)} if days else {}))
    number = published(store, made_of)
    if number is None:
        from pipelines.full_training import full_training

        arguments = {
            "data": str(data_dir.resolve()),
            **parts(recipe),
            "days": sorted(days),
            "store": str(store.root),
            "fingerprint": made_of,
            "settings_fingerprint": json_sha256(recipe),
        }
        number = int(run_local(full_training, arguments, home, progress)["Output"])
    else:
        note = f"Data, recipe and code are those of release {number}: nothing to train"
        progress(StepEvent("", "note", message=note))
    require_passed(store, number)
    return number


def parts(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe as the pipeline takes it: in parts, so that a new floor does not train anew.

    Args:
        recipe: Of `recsys.kubeflow.recipe.recipe_of`.

    Returns:
        `recipe` of the training, `sizes` of the evaluation and `floors` of the gate.
    """
    sizes = {name: recipe[name] for name in ("serving", "evaluation")}
    training = {name: value for name, value in recipe.items() if name not in {*sizes, "gate", "finetune"}}
    return {"recipe": training, "sizes": sizes, "floors": recipe["gate"]}
