"""Repositories on disk: one release, two side by side, the ensemble pinned to one."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from recsys.errors import BadUse
from recsys.serving import repository
from recsys.serving.graph import ENSEMBLE, FUSED, MODELS
from recsys.settings import ServingSettings

SETTINGS = ServingSettings()


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    for number in (3, 4):
        (tmp_path / "releases" / str(number)).mkdir(parents=True)
    return tmp_path / "releases"


@pytest.fixture
def models(tmp_path: Path, releases: Path) -> Path:
    folder = tmp_path / "triton" / "models"
    repository.assemble(folder, releases, 3, SETTINGS)
    return folder


def config(models: Path, name: str) -> model_config_pb2.ModelConfig:
    return text_format.Parse((models / name / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())


def versions(models: Path, name: str) -> list[str]:
    return sorted(path.name for path in (models / name).iterdir() if path.is_dir())


def test_a_release_is_the_version_of_all_fifteen(models: Path, releases: Path) -> None:
    assert len(list(models.iterdir())) == 15
    for each in MODELS:
        assert versions(models, each.name) == ["3"]
        assert (models / each.name / "3" / "model.py").is_file()
        assert list(config(models, each.name).version_policy.specific.versions) == [3]
        assert config(models, each.name).parameters["releases"].string_value == str(releases.resolve())
    assert versions(models, ENSEMBLE) == ["3"]
    assert {step.model_version for step in config(models, ENSEMBLE).ensemble_scheduling.step} == {3}


def test_the_fused_variant_is_two_models(tmp_path: Path, releases: Path) -> None:
    fused = ServingSettings(variant="fused", fused_instances=2)
    folder = tmp_path / "fused"
    repository.assemble(folder, releases, 3, fused)
    assert sorted(path.name for path in folder.iterdir()) == [FUSED, ENSEMBLE]
    assert config(folder, FUSED).instance_group[0].count == 2
    assert [step.model_name for step in config(folder, ENSEMBLE).ensemble_scheduling.step] == [FUSED]
    repository.set_versions(folder, releases, [3, 4], fused)
    repository.pin_ensemble(folder, 4, fused)
    repository.drop_versions(folder, [4])
    assert versions(folder, FUSED) == versions(folder, ENSEMBLE) == ["4"]
    assert config(folder, ENSEMBLE).ensemble_scheduling.step[0].model_version == 4


def test_assembling_again_leaves_nothing_behind(models: Path, releases: Path) -> None:
    (models / "query_tower" / "3" / "left.over").touch()
    repository.assemble(models, releases, 4, SETTINGS)
    assert versions(models, "query_tower") == ["4"]
    assert [path.name for path in models.parent.iterdir()] == ["models"]


def test_the_steps_of_a_switch(models: Path, releases: Path) -> None:
    before = (models / ENSEMBLE / "config.pbtxt").read_text()
    repository.set_versions(models, releases, [3, 4], SETTINGS)
    assert versions(models, "dlrm_ranking") == ["3", "4"]
    assert list(config(models, "dlrm_ranking").version_policy.specific.versions) == [3, 4]
    assert (models / ENSEMBLE / "config.pbtxt").read_text() == before

    repository.pin_ensemble(models, 4, SETTINGS)
    assert {step.model_version for step in config(models, ENSEMBLE).ensemble_scheduling.step} == {4}

    repository.set_versions(models, releases, [4], SETTINGS)
    repository.drop_versions(models, [4])
    assert versions(models, "dlrm_ranking") == versions(models, ENSEMBLE) == ["4"]
    assert list(config(models, "dlrm_ranking").version_policy.specific.versions) == [4]
    assert not list(models.rglob("*.tmp"))


def test_a_switch_changes_nothing_but_versions(models: Path, releases: Path) -> None:
    """Triton reloads a version whose config changed otherwise."""
    before = config(models, "faiss_retrieval")
    repository.set_versions(models, releases, [3, 4], SETTINGS)
    after = config(models, "faiss_retrieval")
    after.version_policy.CopyFrom(before.version_policy)
    assert after == before


def test_releases_that_are_not_there_are_refused(models: Path, releases: Path) -> None:
    with pytest.raises(BadUse, match="release 9: not in"):
        repository.assemble(models, releases, 9, SETTINGS)
    with pytest.raises(BadUse, match="release 0"):
        repository.assemble(models, releases, 0, SETTINGS)
    with pytest.raises(BadUse, match="release 9"):
        repository.set_versions(models, releases, [3, 9], SETTINGS)
    with pytest.raises(BadUse, match="none is named"):
        repository.set_versions(models, releases, [], SETTINGS)
    assert versions(models, "query_tower") == ["3"]


def test_what_is_served_already_is_not_touched(models: Path, releases: Path) -> None:
    """Triton loads a version anew whose files are newer than what it has loaded."""

    def times() -> dict[Path, int]:
        served = [path for path in models.rglob("*") if "3" in path.parts]
        return {path: path.stat().st_mtime_ns for path in served}

    before = times()
    assert any(path.suffix == ".pyc" for path in before)  # else the backend writes it, a change too
    repository.set_versions(models, releases, [3, 4], SETTINGS)
    repository.set_versions(models, releases, [3, 4], SETTINGS)
    repository.pin_ensemble(models, 3, SETTINGS)
    assert times() == before
