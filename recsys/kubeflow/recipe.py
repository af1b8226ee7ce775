"""The settings that decide what a pipeline puts out, as one pipeline parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.encoders.encoder import weights_digest
from recsys.settings import Settings

_ELSEWHERE = {
    "profile", "home", "valkey", "seen", "events", "worker", "popularity", "gateway", "promotion", "trial",
    "releases", "mlflow", "dask",
}  # fmt: skip
"""Sections of where things are and of what runs beside the models; no artefact depends on them, but on the
half-life of popularity where the ranker is told of it."""

_SERVING = {"retrieved", "ranked", "returned"}
"""The widths count: the evaluation runs the served chain. Ports and time limits do not."""


def recipe_of(settings: Settings) -> dict[str, Any]:
    """Everything of the settings that a release depends on.

    A section that is not named here counts, so a new one can cause a training too many, never a
    wrong reuse.
    """
    found = settings.model_dump(mode="json", exclude=_ELSEWHERE)
    found["serving"] = {k: v for k, v in found["serving"].items() if k in _SERVING}
    if settings.training.ranking.popularity:  # else nothing is made of it
        found["popularity"] = {"half_life_s": settings.popularity.half_life_s}
    # A model in a local folder is what the folder holds, not what it is called.
    specs = {kind: spec.partition(":")[2] for kind, spec in found["encoders"].items()}
    found["weights"] = {kind: weights_digest(model) for kind, model in specs.items() if model}
    return found


def settings_of(recipe: Mapping[str, Any]) -> Settings:
    """Settings with this recipe; the rest comes from the environment or the defaults.

    Kubeflow hands whole numbers on as floats; they are whole again here.

    Raises:
        pydantic.ValidationError: A value is out of range.
    """
    return Settings(**recipe)
