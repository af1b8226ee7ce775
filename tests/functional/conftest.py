"""What several scenarios share because it takes long to make."""

from __future__ import annotations

import pytest
from factories.shop import make_shop
from factories.trained import TINY, Trained


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One tiny full training; a scenario that changes its home takes a copy."""
    folder = tmp_path_factory.mktemp("full_training")
    found = Trained(make_shop(folder / "shop"), folder / "home")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in TINY.items():
            patch.setenv(name, value)
        found.release = found.run()
    return found
