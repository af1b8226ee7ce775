"""A home with a tiny release, and the real command line on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from factories.home import make_home

ANY_PORT = {
    "RECSYS_VALKEY__URL": "redis://127.0.0.1:0/0",
    "RECSYS_SERVING__HTTP_PORT": "0",
    "RECSYS_SERVING__GRPC_PORT": "0",
    "RECSYS_SERVING__METRICS_PORT": "0",
    "RECSYS_GATEWAY__PORT": "0",
}


@dataclass(frozen=True)
class System:
    """The command line on one home, each call in a process of its own."""

    home: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, **ANY_PORT, **more}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "recsys.cli", "--home", str(self.home), *arguments]

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def services(self) -> dict[str, dict[str, Any]]:
        return self.json("status")["services"]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A home with one release and nothing running; what the tests leave running is stopped."""
    made = System(make_home(tmp_path_factory.mktemp("home")))
    yield made
    made.run("down")
