from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import BadData, BadUse
from recsys.serving.graph import ENSEMBLE, MODELS
from recsys.serving.layout import CHALLENGER, Layout, clear, lay_out, only, read_layout
from recsys.serving.repository import assemble, set_versions
from recsys.settings import ServingSettings

SETTINGS = ServingSettings()


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    versions = draw(st.sets(st.integers(1, 9), min_size=1, max_size=3))
    one = st.sampled_from(sorted(versions))
    return Layout(tuple(versions), draw(one), draw(st.none() | one))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for number in range(1, 10):
        (tmp_path / "releases" / str(number)).mkdir(parents=True)
    assemble(tmp_path / "models", tmp_path / "releases", 3, SETTINGS)
    return tmp_path / "models"


def test_a_new_repository_serves_its_release(models: Path) -> None:
    assert read_layout(models, SETTINGS) == only(3)


@pytest.mark.parametrize("wanted", [only(4), Layout((3, 4), 3, 4), Layout((3, 4), 4), Layout((2, 3), 3, 3)])
def test_what_is_laid_out_is_read_again(models: Path, wanted: Layout) -> None:
    lay_out(models, models.parent / "releases", wanted, SETTINGS)
    assert read_layout(models, SETTINGS) == wanted
    assert (models / CHALLENGER).is_dir() == (wanted.challenger is not None)


@given(layouts())
def test_json_brings_a_layout_back(one: Layout) -> None:
    assert Layout.from_json(one.to_json()) == one


def test_files_of_old_versions_stay_until_they_are_cleared(models: Path) -> None:
    lay_out(models, models.parent / "releases", only(4), SETTINGS)
    old = [models / MODELS[0].name / "3", models / ENSEMBLE / "3"]
    assert all(path.is_dir() for path in old)
    clear(models, SETTINGS)
    assert not any(path.exists() for path in old)
    assert (models / MODELS[0].name / "4" / "model.py").is_file()


def test_a_writer_that_was_killed_leaves_what_all_models_serve(models: Path) -> None:
    one = models / MODELS[0].name / "config.pbtxt"
    before = one.read_text()
    set_versions(models, models.parent / "releases", [3, 4], SETTINGS)
    one.write_text(before)
    assert read_layout(models, SETTINGS) == only(3)


def test_a_repository_of_others_is_refused(models: Path, tmp_path: Path) -> None:
    (models / ENSEMBLE / "config.pbtxt").write_text('name: "ensemble_model"')
    with pytest.raises(BadData, match="does not say which versions"):
        read_layout(models, SETTINGS)
    with pytest.raises(BadData, match="cannot be read"):
        read_layout(tmp_path, SETTINGS)


@pytest.mark.parametrize("wrong", [((1,), 2, None), ((1,), 1, 2), ((0, 1), 1, None)])
def test_an_ensemble_answers_from_what_is_served(wrong) -> None:
    with pytest.raises(BadUse, match="releases"):
        Layout(*wrong)


def test_a_switch_is_from_what_is_beside() -> None:
    assert only(1).beside(2) == Layout((1, 2), 1, 2)
    assert only(1).beside(2).switched(2) == Layout((1, 2), 2, 2)
