"""What decides a release, and the release that it made before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys.errors import BadData, RecsysError
from recsys.release.digest import code_sha256, json_sha256, tree_sha256
from recsys.release.manifest import library_versions
from recsys.release.store import ReleaseStore


def fingerprint(kind: str, data_dir: Path, recipe: Mapping[str, Any], **more: Any) -> str:
    """The hex sha256 of everything that decides a release.

    Args:
        kind: Which pipeline makes it.
        data_dir: The data set.
        recipe: Of `recsys.kubeflow.recipe.recipe_of`.
        more: What else counts, as JSON.

    Raises:
        BadData: There is no data set.
    """
    if not data_dir.is_dir():
        raise BadData(str(data_dir), "there is no such folder", "Give the folder of a data set")
    made_of = {
        "kind": kind,
        "data": tree_sha256(data_dir),
        "recipe": recipe,
        "code": code_sha256(),
        "libraries": library_versions(),
        **more,
    }
    return json_sha256(made_of)


def published(store: ReleaseStore, of_inputs: str) -> int | None:
    """The release made from these inputs, if every file of it is still what was published."""
    number = store.find(of_inputs)
    if number is None:
        return None
    try:
        store.verify(number)
    except BadData:
        return None  # train again: the damaged release keeps its number and is never served
    return number


def require_passed(store: ReleaseStore, number: int) -> None:
    """Does nothing for a release that its gate let through.

    Raises:
        RecsysError: The gate refused it.
    """
    verdict = store.show(number).gate
    if not verdict.passed:
        raise RecsysError(
            f"release {number}",
            f"refused by its gate: {verdict.reason}",
            f"It is kept; see `recsys release show {number}`",
        )
