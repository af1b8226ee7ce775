"""The reference replaces five models and finds the workflows that belong to a release."""

from __future__ import annotations

from importlib.util import cache_from_source
from pathlib import Path

import pytest
from factories.release import make_release
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from recsys import schema
from recsys.bench.reference.repository import REPLACED, find_workflows, replace_models
from recsys.errors import BadData
from recsys.serving import repository
from recsys.settings import ServingSettings, Settings


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return make_release(tmp_path / "releases" / "3", items=20)


def trained(home: Path, run: str, like: Path) -> Path:
    """What a training leaves under a home."""
    features = home / "kubeflow" / "runs" / run / "features"
    (features / "workflows" / "user").mkdir(parents=True)
    (features / "workflows" / "user" / "workflow.pkl").touch()
    (features / "serving").mkdir()
    for name in (schema.USER_WORKFLOW, schema.ITEM_WORKFLOW):
        for end in (".json", ".npz"):
            (features / "serving" / f"{name}{end}").write_bytes((like / f"{name}{end}").read_bytes())
    return features / "workflows"


def test_the_workflows_are_those_of_the_release(tmp_path: Path, release: Path) -> None:
    home, other = tmp_path / "home", make_release(tmp_path / "other", items=30)
    expected = trained(home, "run-1", release)
    trained(home, "run-2", other)
    assert find_workflows(home, release) == expected


def test_workflows_that_are_gone_are_named(tmp_path: Path, release: Path) -> None:
    with pytest.raises(BadData, match="no NVTabular workflows of release 3"):
        find_workflows(tmp_path / "home", release)


def test_five_models_are_replaced(tmp_path: Path, release: Path) -> None:
    models = tmp_path / "models"
    repository.assemble(models, release.parent, 3, ServingSettings(stages="processes"))
    before = {path: path.read_bytes() for path in sorted(models.rglob("*")) if path.is_file()}
    replace_models(models, 3, tmp_path / "workflows", Settings(home=tmp_path), batched=True)
    changed = {
        path.relative_to(models).parts[0] for path, text in before.items() if path.read_bytes() != text
    }
    assert changed == set(REPLACED)
    config = text_format.Parse(
        (models / "nvt_item_transform" / "config.pbtxt").read_text(), model_config_pb2.ModelConfig()
    )
    assert config.parameters["workflows"].string_value == str(tmp_path / "workflows")
    assert config.parameters["home"].string_value == str(tmp_path)


@pytest.mark.parametrize("batched", [False, True])
def test_the_reference_runs_a_request_an_execution_unless_it_is_batched(
    tmp_path: Path, release: Path, batched: bool
) -> None:
    models = tmp_path / "models"
    repository.assemble(models, release.parent, 3, ServingSettings(stages="processes"))
    replace_models(models, 3, tmp_path / "workflows", Settings(home=tmp_path), batched=batched)
    configs = [path.read_text() for path in models.glob("*/config.pbtxt")]
    parsed = [text_format.Parse(text, model_config_pb2.ModelConfig()) for text in configs]
    stacking = [each.name for each in parsed if each.HasField("dynamic_batching")]
    assert len(parsed) == 15
    assert len(stacking) == (14 if batched else 0)


def test_the_bytecode_is_the_references_own(tmp_path: Path, release: Path) -> None:
    """Python would not look whether the file behind it has changed."""
    models = tmp_path / "models"
    repository.assemble(models, release.parent, 3, ServingSettings(stages="processes"))
    replace_models(models, 3, tmp_path / "workflows", Settings(home=tmp_path))
    for name in REPLACED:
        source = models / name / "3" / "model.py"
        assert b"recsys.bench.reference" in Path(cache_from_source(str(source))).read_bytes()


def test_without_workflows_there_is_no_reference(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no NVTabular workflows are given"):
        replace_models(tmp_path, 1, None, Settings())
