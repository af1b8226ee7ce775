"""The model repository that Triton serves, assembled from a release whose number is the models' version."""

from __future__ import annotations

import os
import py_compile
import shutil
from collections.abc import Sequence
from pathlib import Path
from py_compile import PycInvalidationMode

from recsys.errors import BadUse
from recsys.serving import native
from recsys.serving.graph import ENSEMBLE, steps
from recsys.serving.render import ensemble_config, model_config, repository_files
from recsys.settings import ServingSettings


def assemble(models_dir: Path, releases: Path, number: int, settings: ServingSettings) -> None:
    """Make a repository that serves one release and nothing else; what was there before is replaced.

    Args:
        models_dir: The repository, usually <home>/triton/models.
        releases: Folder of releases; <releases>/<number> must be there.
        number: The release's number, which becomes the version of all models.
        settings: Widths, batch size, variant and the stages' parameters.

    Raises:
        BadUse: There is no such release.
    """
    _must_exist(releases, number)
    staging = models_dir.with_name(f".{models_dir.name}-{os.getpid()}")
    shutil.rmtree(staging, ignore_errors=True)
    for name, text in repository_files(settings, str(releases.resolve()), number).items():
        path = staging / name
        if path.suffix == ".py":
            replace_code(path, text)
        else:
            replace_text(path, text)
    for model in steps(settings.variant):
        if native.is_native(model, releases, [number], settings):
            native.write(staging / model.name, model, releases, [number], settings)
    shutil.rmtree(models_dir, ignore_errors=True)
    staging.replace(models_dir)


def set_versions(models_dir: Path, releases: Path, numbers: Sequence[int], settings: ServingSettings) -> None:
    """Have the ensemble's models serve these releases side by side; the ensemble stays as it is.

    Written so that loading each model afterwards (Triton's model-control API) adds the new versions while
    the old ones keep serving, and drops those no longer named.

    Args:
        models_dir: The repository.
        releases: Folder of releases.
        numbers: Releases to serve, at least one.
        settings: The same as `assemble` was given: Triton reloads a version whose parameters changed.

    Raises:
        BadUse: A release is not there, or none is named.
    """
    if not numbers:
        raise BadUse("versions", "none is named", "Name at least one release")
    for number in numbers:
        _must_exist(releases, number)
    wanted = repository_files(settings, str(releases.resolve()), numbers[0])
    for model in steps(settings.variant):
        folder = models_dir / model.name
        if native.is_native(model, releases, numbers, settings):
            native.write(folder, model, releases, numbers, settings)
            continue
        for number in numbers:
            replace_code(folder / str(number) / "model.py", wanted[f"{model.name}/{numbers[0]}/model.py"])
        replace_text(folder / "config.pbtxt", model_config(model, settings, str(releases.resolve()), numbers))


def pin_ensemble(models_dir: Path, number: int, settings: ServingSettings, name: str = ENSEMBLE) -> None:
    """Have an ensemble answer from one release: loading it afterwards is the switch.

    Args:
        models_dir: The repository.
        number: A release that the ensemble's models serve already.
        settings: The same as `assemble` was given.
        name: Which ensemble; one that is not there yet is made.
    """
    folder = models_dir / name
    (folder / str(number)).mkdir(parents=True, exist_ok=True)
    replace_text(folder / "config.pbtxt", ensemble_config(settings, number, name))


def drop_versions(models_dir: Path, keep: Sequence[int]) -> None:
    """Remove the version folders of releases that are served no more.

    Args:
        models_dir: The repository.
        keep: Releases whose folders stay.
    """
    for folder in models_dir.iterdir():
        for version in folder.iterdir():
            if version.is_dir() and version.name.isdigit() and int(version.name) not in keep:
                shutil.rmtree(version)


def replace_code(path: Path, text: str) -> None:
    """Write a model's Python file and its bytecode; a file that says this already is not touched.

    The backend's Python would write the bytecode when it loads the model, whatever PYTHONDONTWRITEBYTECODE
    says, so that the version looked changed ever after, and the next load of the ensemble loaded all fourteen
    anew. It does not look whether the file has changed since: whoever changes it must come here.

    Args:
        path: <repository>/<model>/<version>/model.py.
        text: What it is to say.
    """
    if replace_text(path, text):
        py_compile.compile(str(path), doraise=True, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


def replace_text(path: Path, text: str) -> bool:
    """Replace a file in one step, since Triton may be reading it; whether that was needed.

    A file that says this already is not touched: Triton goes by the times of a version's files, and loads
    a version anew whose files are newer than what it has loaded.

    Args:
        path: Of the file; folders are made.
        text: What it is to say.
    """
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.tmp")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
    return True


def _must_exist(releases: Path, number: int) -> None:
    if number < 1 or not (releases / str(number)).is_dir():
        raise BadUse(f"release {number}", f"not in {releases}", "Name one that `recsys release list` shows")
