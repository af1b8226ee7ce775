"""What MLflow is told of a release, as it wants it: flat names, short texts, numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from recsys.release.manifest import Manifest
from recsys.release.releases import Releases
from recsys.release.store import ReleaseStore
from recsys.schema import RECIPE_FILE

_LONGEST: Final = 500
"""Characters that MLflow keeps of a parameter."""


def parameters_of(store: Releases, manifest: Manifest) -> dict[str, str]:
    """What made the release: data, parent, libraries, and the recipe where the store lies on this machine."""
    found: dict[str, Any] = {
        "kind": manifest.kind,
        "parent": manifest.parent,
        "fingerprint": manifest.fingerprint,
        "data": manifest.data.model_dump(mode="json"),
        "library": manifest.versions,
    }
    if isinstance(store, ReleaseStore):
        recipe = store.path(manifest.release) / RECIPE_FILE
        if recipe.is_file():
            found["recipe"] = json.loads(recipe.read_text(encoding="utf-8"))
    return {name: str(value)[:_LONGEST] for name, value in flat(found) if value is not None and value != ""}


def metrics_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Every finite number of an evaluation; lists, such as intervals and curves, are in its report.

    MLflow's names know no @, so `chain.ndcg@10` is `chain.ndcg_at_10`.
    """
    return {
        "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name.replace("@", "_at_")): float(value)
        for name, value in flat(metrics)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def tags_of(manifest: Manifest) -> dict[str, str]:
    """By which a release is found again."""
    return {
        "release": str(manifest.release),
        "kind": manifest.kind,
        "gate": "passed" if manifest.gate.passed else "refused",
        **({"reason": manifest.gate.reason[:_LONGEST]} if manifest.gate.reason else {}),
    }


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings with their dotted paths."""
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{path}.")
        else:
            yield path, value
