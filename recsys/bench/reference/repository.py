"""The reference's model repository: the project's own, five of its models replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from recsys.bench.reference.backend import HOME_PARAMETER, WORKFLOWS_PARAMETER
from recsys.errors import BadData
from recsys.schema import ITEM_WORKFLOW, USER_WORKFLOW
from recsys.serving import repository
from recsys.settings import Settings

REPLACED: Final = (
    "feast_user_lookup",
    "nvt_user_transform",
    "nvt_context_transform",
    "feast_item_lookup",
    "nvt_item_transform",
)
_MODEL_PY: Final = '''"""Runs this model as the published design does, to compare with."""

from recsys.bench.reference.backend import TritonPythonModel  # noqa: F401
'''
_BATCHING: Final = "dynamic_batching"
_PLACES: Final = ("kubeflow/runs/*/features", "cache/steps/*/outputs")
_FIX: Final = "Train with `recsys pipeline run full`, or name their folder with --workflows"


def find_workflows(home: Path, release_dir: Path) -> Path:
    """The fitted NVTabular workflows that a release's array workflows were exported from.

    They are no part of a release, since they hold pickles; the training that made it leaves them under the
    home.

    Args:
        home: Where state lives.
        release_dir: The release.

    Raises:
        BadData: They are not there any more.
    """
    for place in _PLACES:
        for folder in sorted(home.glob(place), reverse=True):
            if (folder / "workflows" / "user" / "workflow.pkl").is_file() and _same(
                folder / "serving", release_dir
            ):
                return folder / "workflows"
    raise BadData(str(home), f"holds no NVTabular workflows of release {release_dir.name}", _FIX)


def replace_models(
    models_dir: Path, release: int, workflows: Path | None, settings: Settings, *, batched: bool = False
) -> None:
    """Turn an assembled repository into the reference's.

    Args:
        models_dir: The repository.
        release: The version of its models.
        workflows: The fitted workflows.
        settings: Their home holds Feast's registry.
        batched: Whether Triton stacks waiting requests. The published design's configs do not ask for it, so
            there each execution is one request.

    Raises:
        BadData: No workflows are given.
    """
    if workflows is None:
        raise BadData("reference", "no NVTabular workflows are given", _FIX)
    added = {WORKFLOWS_PARAMETER: str(workflows.resolve()), HOME_PARAMETER: str(settings.home.resolve())}
    for name in REPLACED:
        folder = models_dir / name
        repository.replace_code(folder / str(release) / "model.py", _MODEL_PY)
        with (folder / "config.pbtxt").open("a", encoding="utf-8") as config:
            for key, value in added.items():
                config.write(f'parameters {{ key: "{key}", value: {{ string_value: "{value}" }} }}\n')
    if not batched:
        for path in models_dir.glob("*/config.pbtxt"):
            path.write_text(_one_request_an_execution(path.read_text(encoding="utf-8")), encoding="utf-8")


def _one_request_an_execution(config: str) -> str:
    """A model's config without dynamic batching; a client's own batch of users stays one request."""
    return "".join(line for line in config.splitlines(keepends=True) if not line.startswith(_BATCHING))


def _same(exported: Path, release_dir: Path) -> bool:
    """Whether the exported arrays are those of the release."""
    names = [f"{name}{end}" for name in (USER_WORKFLOW, ITEM_WORKFLOW) for end in (".json", ".npz")]
    pairs = [(exported / name, release_dir / name) for name in names]
    return all(
        one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes() for one, other in pairs
    )
