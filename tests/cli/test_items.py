from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from factories.item_release import FIRST_NEW, make_item_release, new_items
from factories.shop import make_shop

from recsys.data.dataset import Dataset
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("items")
    return make_item_release(folder / "release", Dataset.open(make_shop(folder / "shop")))


@pytest.fixture
def store(home: Path, release: Path) -> ReleaseStore:
    store = ReleaseStore(home / "releases")
    store.set_current(store.publish(release, data=DataWindow(fingerprint="f", days=(0,)), metrics={}))
    return store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    new_items().to_csv(tmp_path / "items.csv", index=False)
    return tmp_path / "items.csv"


def test_added_items_are_served_at_once(run: Any, store: ReleaseStore, file: Path) -> None:
    done = run("items", "add", file)
    assert done.out == "Release 2: 3 items added, 0 updated (3 without an image)\n"
    assert store.current() == 2
    assert run("items", "add", file).out == "Release 2 holds these items already; nothing to do.\n"


def test_promotion_can_wait(run: Any, store: ReleaseStore, file: Path) -> None:
    document = json.loads(run("items", "add", file, "--no-promote", "--json").out)
    assert document == {
        "release": 2,
        "parent": 1,
        "added": 3,
        "updated": 0,
        "unknown_categories": 0,
        "images_missing": 3,
    }
    assert store.current() == 1


def test_what_cannot_be_added_is_said_in_one_line(run: Any, store: ReleaseStore, file: Path) -> None:
    run("items", "add", file)
    new_items(2).to_csv(file, index=False)
    refused = run("items", "add", file)
    assert refused.code == 2
    assert "release 2 holds it already. Add --update to change it" in refused.err
    assert run("items", "add", file, "--update").code == 0
    assert store.current() == 3


def test_old_releases_go_where_that_is_set(
    run: Any, store: ReleaseStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_RELEASES__KEEP", "1")
    for first in (0, 10, 20):
        new_items(2).assign(item_id=[FIRST_NEW + first, FIRST_NEW + first + 1]).to_csv(file, index=False)
        assert run("items", "add", file).code == 0
    assert store.numbers() == (3, 4)  # what is served, and what a rollback would serve


def test_there_must_be_a_release(run: Any, file: Path) -> None:
    missing = run("items", "add", file)
    assert missing.code == 1
    assert "recsys pipeline run full" in missing.err
