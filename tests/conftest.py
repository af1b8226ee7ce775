"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings

from recsys.local.valkey import ValkeyServer

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def _settings_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("RECSYS_", "AWS_"))}


@pytest.fixture(scope="module", autouse=True)
def environment_stays() -> Iterator[None]:
    """A module that leaves settings behind in the environment fails itself, not whoever comes after it."""
    before = _settings_variables()
    yield
    assert _settings_variables() == before


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A real Valkey server on a free port, one for the whole test run."""
    data_dir: Path = tmp_path_factory.mktemp("valkey")
    with ValkeyServer(data_dir) as server:
        yield server


@pytest.fixture
def valkey(valkey_server: ValkeyServer) -> Iterator[redis.Redis]:
    """A client of the test run's Valkey server; the server is empty at the start of each test."""
    client = redis.Redis.from_url(valkey_server.url, socket_timeout=5, socket_connect_timeout=5)
    client.flushall()
    yield client
    client.close()
