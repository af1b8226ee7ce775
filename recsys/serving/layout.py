"""Which releases a model repository serves, and from which of them its ensembles answer."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from recsys.errors import BadData, BadUse
from recsys.serving.graph import ENSEMBLE, steps
from recsys.serving.repository import drop_versions, pin_ensemble, set_versions
from recsys.settings import ServingSettings

CHALLENGER: Final = "ensemble_challenger"
"""The same ensemble pinned to another release, beside the one that answers the shop."""

_FIX: Final = "Assemble the repository again: `recsys down` and `recsys up`, or a new pod"
_VERSIONS: Final = re.compile(r"version_policy \{ specific \{ versions: \[ ([\d, ]+) \] \} \}")


@dataclass(frozen=True)
class Layout:
    """What a repository serves.

    Attributes:
        versions: Releases that the models serve, ascending.
        ensemble: The one that answers the shop.
        challenger: The one that `CHALLENGER` answers from; None where there is no such ensemble.
    """

    versions: tuple[int, ...]
    ensemble: int
    challenger: int | None = None

    def __post_init__(self) -> None:
        wanted = {self.ensemble, *(() if self.challenger is None else (self.challenger,))}
        if not wanted <= set(self.versions) or min(self.versions) < 1:
            raise BadUse(
                f"releases {list(self.versions)}",
                f"an ensemble cannot answer from {sorted(wanted)}",
                "Serve what ensembles answer from, and number releases from 1",
            )
        object.__setattr__(self, "versions", tuple(sorted(set(self.versions))))

    def beside(self, number: int) -> Layout:
        """The same with one release more, from which the challenger answers."""
        return Layout((*self.versions, number), self.ensemble, number)

    def switched(self, number: int) -> Layout:
        """The same with the shop answered from another of the releases."""
        return replace(self, ensemble=number)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"versions": list(self.versions), "ensemble": self.ensemble, "challenger": self.challenger}

    @classmethod
    def from_json(cls, value: Any) -> Layout:
        """What `to_json` gave.

        Raises:
            BadUse: It is something else.
        """
        refusal = BadUse("layout", f"{value!r:.100} is none", "Give versions, ensemble and challenger")
        try:
            versions, ensemble, challenger = (value[name] for name in ("versions", "ensemble", "challenger"))
            numbers = [*versions, ensemble, *(() if challenger is None else (challenger,))]
        except (TypeError, KeyError) as error:
            raise refusal from error
        if not versions or not all(type(number) is int for number in numbers):
            raise refusal
        return cls(tuple(versions), ensemble, challenger)


def only(number: int) -> Layout:
    """A repository of one release."""
    return Layout((number,), number)


def read_layout(models_dir: Path, settings: ServingSettings) -> Layout:
    """What a repository says it serves.

    Args:
        models_dir: The repository.
        settings: Its variant.

    Raises:
        BadData: It is none of ours, or its models do not agree.
    """
    found = {_versions(models_dir, model.name) for model in steps(settings.variant)}
    if len(found) > 1:
        # A writer was killed between two models. What all of them serve is certain.
        found = {tuple(sorted(set.intersection(*map(set, found))))}
    (ensemble,) = _versions(models_dir, ENSEMBLE)
    challenger = _versions(models_dir, CHALLENGER)[0] if (models_dir / CHALLENGER).is_dir() else None
    (versions,) = found
    return Layout(versions, ensemble, challenger if challenger in versions else None)


def lay_out(models_dir: Path, releases: Path, layout: Layout, settings: ServingSettings) -> None:
    """Have a repository serve these releases, once its models are loaded anew.

    What is served no longer stays on the disk until `clear`: Triton may still be answering from it.

    Args:
        models_dir: The repository.
        releases: Folder of releases.
        layout: What it is to serve.
        settings: The same as `repository.assemble` was given.

    Raises:
        BadUse: A release is not there.
    """
    set_versions(models_dir, releases, layout.versions, settings)
    pin_ensemble(models_dir, layout.ensemble, settings)
    if layout.challenger is None:
        shutil.rmtree(models_dir / CHALLENGER, ignore_errors=True)
    else:
        pin_ensemble(models_dir, layout.challenger, settings, CHALLENGER)


def clear(models_dir: Path, settings: ServingSettings) -> None:
    """Remove the files of versions that are served no more.

    Args:
        models_dir: The repository.
        settings: Its variant.
    """
    drop_versions(models_dir, read_layout(models_dir, settings).versions)


def _versions(models_dir: Path, name: str) -> tuple[int, ...]:
    path = models_dir / name / "config.pbtxt"
    try:
        found = _VERSIONS.search(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadData(str(path), f"cannot be read ({error.strerror})", _FIX) from error
    if found is None:
        raise BadData(str(path), "does not say which versions to serve", _FIX)
    return tuple(int(number) for number in found[1].split(","))
