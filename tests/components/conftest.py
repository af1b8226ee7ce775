"""Artefacts as Kubeflow hands them to a component."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Artefact = Callable[..., Any]


@pytest.fixture
def artefact(tmp_path: Path) -> Artefact:
    """`artefact(kind, name)`: an artefact of a Kubeflow class; nothing is at its path yet."""

    def make(kind: type, name: str, uri: Path | None = None) -> Any:
        return kind(name=name, uri=str(uri or tmp_path / "artefacts" / name), metadata={})

    (tmp_path / "artefacts").mkdir()
    return make
