"""A component run alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recsys.kubeflow import step


@pytest.fixture
def bake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A component `bake`, and what an earlier run of it has left in the folder that is returned."""

    def python_func(
        *, flour: Any, recipe: dict, sizes: dict, bread: Any, metrics: Any, spare: int = 3
    ) -> None:
        assert flour.path == str(tmp_path / "flour")
        assert (recipe, sizes, spare) == ({"salt": 1}, {}, 3)
        metrics.log_metric("there", float(Path(bread.path).exists()))

    for parameter in ("recipe", "sizes"):
        python_func.__annotations__[parameter] = dict
    specification = SimpleNamespace(outputs={"bread": None, "metrics": None})
    component = SimpleNamespace(python_func=python_func, component_spec=specification)
    modules = {"components.bake": SimpleNamespace(bake=component)}
    monkeypatch.setattr(step, "import_module", modules.__getitem__)
    (tmp_path / "flour").mkdir()
    (tmp_path / "bread").mkdir()
    (tmp_path / "metrics").touch()
    return tmp_path


def test_it_finds_its_artefacts_by_name_and_clears_what_it_puts_out(bake: Path) -> None:
    assert step.run_step("bake", bake, {"salt": 1}) == {"there": 0.0}
    assert (bake / "flour").is_dir()


def test_one_that_is_not_to_clear_leaves_it(bake: Path) -> None:
    assert step.run_step("bake", bake, {"salt": 1}, clear=False) == {"there": 1.0}


def test_every_step_of_the_training_can_be_run_so() -> None:
    from importlib import import_module
    from inspect import signature

    from recsys.bench.train import STEPS

    for name in STEPS:
        component = getattr(import_module(f"components.{name}"), name)
        parameters = signature(component.python_func).parameters
        assert set(component.component_spec.outputs) <= set(parameters)
