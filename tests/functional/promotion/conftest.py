"""One running system for all tests of promotions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from factories.two_tritons import System, open_two_tritons


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Shared; a test leaves it on release 1."""
    with open_two_tritons(tmp_path_factory.mktemp("home")) as running:
        yield running
