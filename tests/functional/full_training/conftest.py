"""The settings of a tiny training."""

from __future__ import annotations

import pytest
from factories.trained import TINY


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only while a test of this folder runs: no other test may see these variables."""
    for name, value in TINY.items():
        monkeypatch.setenv(name, value)
