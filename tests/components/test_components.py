"""What holds for every component."""

from __future__ import annotations

import builtins
import dis
import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
from kfp.dsl.base_component import BaseComponent

import components
from components.image import TRAINING_IMAGE

_MODULES = sorted(
    path.stem
    for path in Path(components.__file__).parent.glob("*.py")
    if path.stem not in {"__init__", "image"}
)


@pytest.fixture(params=_MODULES)
def component(request: pytest.FixtureRequest) -> Any:
    """The component that has its file's name."""
    module = importlib.import_module(f"components.{request.param}")
    found = [value for value in vars(module).values() if isinstance(value, BaseComponent)]
    assert found == [getattr(module, request.param)]
    return found[0]


def test_nothing_is_installed_while_it_runs(component: Any) -> None:
    container = component.component_spec.implementation.container
    assert container.image == TRAINING_IMAGE
    assert not any("pip" in part.split() for part in container.command)


def test_inputs_and_outputs_are_explained(component: Any) -> None:
    doc = inspect.getdoc(component.python_func) or ""
    for name in inspect.signature(component.python_func).parameters:
        assert f"    {name}: " in doc, name


def test_body_stands_alone(component: Any) -> None:
    """Kubeflow ships the function's source only: no name of the module around it may be used."""
    used = {i.argval for i in dis.get_instructions(component.python_func) if i.opname == "LOAD_GLOBAL"}
    assert used <= set(dir(builtins))


def test_source_survives_the_local_runner(component: Any) -> None:
    """It puts the interpreter's path in place of this word wherever it stands."""
    assert "python3" not in inspect.getsource(component.python_func)
