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

import numpy as np
import pytest
from factories.release import make_release

from recsys.data.dataset import Dataset
from recsys.data.synthetic import generate
from recsys.release.assemble import FEAST_DIR, write_feast_sources
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore

ANY_PORT = {
    "RECSYS_VALKEY__URL": "redis://127.0.0.1:0/0",
    "RECSYS_SERVING__HTTP_PORT": "0",
    "RECSYS_SERVING__GRPC_PORT": "0",
    "RECSYS_SERVING__METRICS_PORT": "0",
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


def publish(home: Path) -> Path:
    """A release of random models over a synthetic shop of 120 items and 50 users."""
    shop, staging = home / "shop", home / "staging"
    generate(shop, users=50, items=120, rows=2_000, images=False)
    dataset = Dataset.open(shop)
    make_release(staging, item_ids=dataset.items["item_id"].tolist())
    _items_as_in(dataset, staging)
    write_feast_sources(dataset, [0, 1, 2], staging / FEAST_DIR)
    dataset.items.to_parquet(staging / "catalogue.parquet")
    store = ReleaseStore(home / "releases")
    store.set_current(store.publish(staging, data=DataWindow(fingerprint="tiny", days=(0, 1, 2)), metrics={}))
    return home


def _items_as_in(dataset: Dataset, staging: Path) -> None:
    columns = ("item_id", "price", "category_l1", "category_l2", "item_gender")
    np.savez(staging / "item_features.npz", **{name: dataset.items[name].to_numpy() for name in columns})


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A home with one release and nothing running; what the tests leave running is stopped."""
    made = System(publish(tmp_path_factory.mktemp("home")))
    yield made
    made.run("down")
