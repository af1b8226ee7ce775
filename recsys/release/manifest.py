"""What a release says about itself: `manifest.json`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys import schema
from recsys.errors import BadData

_LIBRARIES = (
    "numpy",
    "pandas",
    "pyarrow",
    "nvtabular",
    "merlin-models",
    "tensorflow-cpu",
    "tensorflow",
    "tf2onnx",
    "onnxruntime",
    "faiss-cpu",
    "feast",
    "kfp",
)


class FileEntry(BaseModel):
    """One artefact: its hex sha256 and size in bytes."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    size: int


class DataWindow(BaseModel):
    """Which data a release was trained on."""

    model_config = ConfigDict(frozen=True)

    fingerprint: str = Field(description="hex sha256 of the data set's content")
    days: tuple[int, ...] = Field(description="training days, ascending")
    rows: int = 0
    users: int = 0
    items: int = 0


class Verdict(BaseModel):
    """What the gate said; `reason` is one line, empty when it passed.

    `report` is all that it found: see `recsys.release.gate_report`.
    """

    model_config = ConfigDict(frozen=True)

    passed: bool
    reason: str = ""
    report: dict[str, Any] = {}


class Manifest(BaseModel):
    """A release's own description, written once when it is published.

    `fingerprint` names the inputs (data, recipe, code, parent) that made it: two runs on the same
    inputs have the same one. `files` maps each artefact's path inside the release to its hash.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, protected_namespaces=())

    release: int = Field(ge=1)
    kind: Literal["full", "daily", "items"] = "full"
    created: datetime
    parent: int | None = None
    fingerprint: str = ""
    settings_fingerprint: str = ""
    data: DataWindow
    feature_schema: dict[str, dict[str, str]] = Field(alias="schema")
    metrics: dict[str, Any] = {}
    gate: Verdict = Verdict(passed=True)
    versions: dict[str, str] = {}
    files: dict[str, FileEntry]

    def to_json(self) -> str:
        """The manifest as an indented JSON document, keys in the order of the fields."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=2) + "\n"

    @property
    def digest(self) -> str:
        """One line that is equal for equal artefacts: the sorted pairs of path and hash."""
        return ";".join(f"{name}={entry.sha256}" for name, entry in sorted(self.files.items()))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a release folder.

    Raises:
        BadData: There is none, or it is not a manifest.
    """
    path = folder / schema.MANIFEST_FILE
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BadData(str(folder), "has no manifest.json", "Publish it again or remove it") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "document"
        raise BadData(str(path), f"{where}: {first['msg']}", "Publish the release again") from None


def feature_schema() -> dict[str, dict[str, str]]:
    """Names and dtypes of the models' inputs, by group, as they stand in `recsys.schema`."""
    groups = {
        "user": schema.USER_FEATURES,
        "context": schema.CONTEXT_FEATURES,
        "item": schema.ITEM_FEATURES,
    }
    found = {group: {k: str(v) for k, v in columns.items()} for group, columns in groups.items()}
    found["embedding"] = dict.fromkeys(schema.EMBEDDING_FEATURES, f"float32[{schema.EMBEDDING_DIM}]")
    return found


def library_versions() -> dict[str, str]:
    """Versions of the libraries that shape a release; what is not installed is left out."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def now() -> datetime:
    """The time of publication, UTC, whole seconds."""
    return datetime.now(tz=UTC).replace(microsecond=0)
