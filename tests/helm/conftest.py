"""Every installation of the tests, rendered once."""

from __future__ import annotations

import pytest

pytest.importorskip("helm_python", reason="helm-python-sdk is not installed. Run scripts/setup --dev")

from factories.chart import FILES, Object, render, values


@pytest.fixture(scope="session")
def installations() -> dict[str, list[Object]]:
    return {name: render(values(name)) for name in FILES}


@pytest.fixture(params=FILES)
def objects(request: pytest.FixtureRequest, installations: dict[str, list[Object]]) -> list[Object]:
    return installations[request.param]


@pytest.fixture
def everything(installations: dict[str, list[Object]]) -> list[Object]:
    return installations["everything"]
