"""A tiny release and the chain over it."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories.release import make_release

from recsys.serving.chain import Chain
from recsys.settings import ServingSettings, Settings

ITEMS = 120
SMALL = ServingSettings(retrieved=80, ranked=60, returned=20)


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of 120 items; tests must not change it."""
    return make_release(tmp_path_factory.mktemp("releases") / "1", items=ITEMS)


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Narrow widths, so that each of them cuts something off."""
    return Settings(serving=SMALL)


@pytest.fixture(scope="session")
def chain(release: Path, settings: Settings) -> Chain:
    """The chain without Valkey."""
    return Chain(release, settings)
