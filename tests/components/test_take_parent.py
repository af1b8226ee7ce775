from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from factories.release import make_release
from factories.shop import make_shop
from kfp.dsl import Dataset, Model

from components.promote import promote
from components.take_parent import take_parent
from recsys.release.digest import tree_sha256
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    """Release 1, current, has learned days 2 to 5; the data holds days 3 to 9."""
    found = ReleaseStore(tmp_path / "releases")
    made = make_release(tmp_path / "made")
    window = DataWindow(fingerprint="d", days=(2, 3, 4, 5))
    found.set_current(found.publish(made, data=window, metrics={}))
    return found


@pytest.fixture
def take(store: ReleaseStore, tmp_path: Path, artefact: Any) -> Any:
    shop = make_shop(tmp_path / "shop", rows=20, days=range(3, 10))

    def take_once(**chosen: Any) -> tuple[Any, Path]:
        parent = artefact(Model, "parent")
        taken = take_parent.python_func(
            source=artefact(Dataset, "s", shop),
            store=str(store),
            parent=parent,
            **{"release": 0, "days": [], **chosen},
        )
        return taken, Path(parent.path)

    return take_once


def test_current_release_learns_what_is_newer_and_days_that_are_gone_are_not_replayed(
    take: Any, store: ReleaseStore
) -> None:
    taken, folder = take()
    assert taken == (1, [6, 7, 8], [3, 4, 5], [3, 4, 5, 6, 7, 8])
    assert tree_sha256(folder) == tree_sha256(store.path(1))


def test_days_come_as_floats_from_kubeflow(take: Any) -> None:
    taken, _ = take(days=[7.0], release=1)
    assert taken == (1, [7], [3, 4, 5], [3, 4, 5, 7])


@pytest.mark.parametrize("reason", ["", "chain.ndcg@10 fell"])
def test_a_release_takes_its_parent_s_place_if_nothing_stands_against_it(
    store: ReleaseStore, tmp_path: Path, reason: str
) -> None:
    made = make_release(tmp_path / "child", seed=1)
    window = DataWindow(fingerprint="d", days=(2, 3, 4, 5, 6))
    child = store.publish(made, data=window, metrics={}, kind="daily", parent=1)
    promoted = promote.python_func(release=child, parent=1, reason=reason, store=str(store), hold=False)
    assert promoted == (not reason)
    assert store.current() == (1 if reason else child)


def test_a_release_on_hold_waits(store: ReleaseStore, tmp_path: Path) -> None:
    made = make_release(tmp_path / "child", seed=1)
    window = DataWindow(fingerprint="d", days=(2, 3, 4, 5, 6))
    child = store.publish(made, data=window, metrics={}, kind="daily", parent=1)
    assert not promote.python_func(release=child, parent=1, reason="", store=str(store), hold=True)
    assert store.current() == 1
