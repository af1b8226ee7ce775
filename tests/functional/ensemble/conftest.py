"""A running system for tests that only ask, and one for each test that breaks something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from factories.shop_server import SERVING, Shop, open_shop

STAGES = ("processes", "embedded")


@pytest.fixture(scope="session", params=STAGES)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Shared, in both ways in which the stages may run; what a test writes to Valkey it takes away again."""
    serving = SERVING.model_copy(update={"stages": request.param})
    with open_shop(tmp_path_factory.mktemp("shop"), serving=serving) as running:
        yield running


@pytest.fixture(scope="session")
def fused_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The same shop, its fourteen stages in the one process of `ensemble_fused`."""
    serving = SERVING.model_copy(update={"variant": "fused"})
    with open_shop(tmp_path_factory.mktemp("fused"), serving=serving) as running:
        yield running


@pytest.fixture(params=STAGES)
def own_shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """The test's own, as impatient with Valkey as it is by default."""
    serving = SERVING.model_copy(update={"stages": request.param})
    with open_shop(tmp_path, serving=serving, valkey_timeout_s=0.1) as running:
        yield running
