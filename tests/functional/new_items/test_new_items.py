"""`recsys items add` while the shop is served by the real Valkey and the real Triton."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories.item_release import FIRST_NEW, make_item_release, new_items
from factories.shop import make_shop

from recsys.data.dataset import Dataset
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore

pytestmark = pytest.mark.functional

_ANY_PORT = {
    "RECSYS_VALKEY__URL": "redis://127.0.0.1:0/0",
    "RECSYS_SERVING__HTTP_PORT": "0",
    "RECSYS_SERVING__GRPC_PORT": "0",
    "RECSYS_SERVING__METRICS_PORT": "0",
    "RECSYS_GATEWAY__PORT": "0",
}
_CATEGORY = 1
_ADDED = (FIRST_NEW + np.arange(3)).tolist()


@dataclass(frozen=True)
class Shop:
    """A home whose servers run."""

    home: Path

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "recsys.cli", "--home", str(self.home), *arguments],
            env={**os.environ, **_ANY_PORT},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def recommended(self, user: int) -> dict[str, Any]:
        return self.json(
            "recommend", "--user", str(user), "--at", "2025-08-05T12:00", "--device", "mobile", "--top", "60"
        )

    def a_user(self) -> int:
        """One whose top category is `_CATEGORY`."""
        rows = pd.read_parquet(self.home / "releases" / "1" / "feast" / "user_behavior_features.parquet")
        return int(rows[rows["top_category"] == _CATEGORY]["user_id"].iloc[0])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("new_items")
    release = make_item_release(folder / "release", Dataset.open(make_shop(folder / "shop")))
    store = ReleaseStore(folder / "home" / "releases")
    store.set_current(store.publish(release, data=DataWindow(fingerprint="f", days=(0,)), metrics={}))
    made = Shop(folder / "home")
    try:
        made.run("up")
        yield made
    finally:
        made.run("down")


def test_new_items_are_recommended_at_once_and_nothing_else_moves(shop: Shop, tmp_path: Path) -> None:
    user = shop.a_user()
    before = shop.recommended(user)
    new_items(category=_CATEGORY).to_parquet(tmp_path / "items.parquet")
    assert shop.json("items", "add", str(tmp_path / "items.parquet"))["release"] == 2

    after = shop.recommended(user)
    assert (before["release"], after["release"], after["degraded"]) == (1, 2, before["degraded"])
    ids = [item["item_id"] for item in after["items"]]
    assert sorted(set(ids) & set(_ADDED)) == _ADDED
    assert max(ids.index(item) for item in _ADDED) < 15  # of 43: the ranker prefers their category
    assert [item for item in ids if item not in _ADDED] == [item["item_id"] for item in before["items"]]
    titles = {item["item_id"]: item["title"] for item in after["items"]}
    assert titles[FIRST_NEW] == "red wool coat 0"


def test_click_on_a_new_item_counts(shop: Shop) -> None:
    user = shop.a_user()
    shop.run("event", "--user", str(user), "--item", str(FIRST_NEW))
    deadline = time.monotonic() + 30
    while FIRST_NEW in {item["item_id"] for item in shop.recommended(user)["items"]}:
        assert time.monotonic() < deadline
