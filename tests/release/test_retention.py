from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.release.manifest import DataWindow, Manifest, Verdict, now
from recsys.release.remote import open_store
from recsys.release.retention import rollback_target, staying
from recsys.release.store import ReleaseStore


def _release(number: int, parent: int | None = None, *, passed: bool = True) -> Manifest:
    return Manifest(
        release=number,
        created=now(),
        parent=parent,
        data=DataWindow(fingerprint="f", days=()),
        feature_schema={},
        gate=Verdict(passed=passed),
        files={},
    )


def test_rollback_goes_to_the_parent_or_the_newest_before_that_passed() -> None:
    releases = [_release(1), _release(2, passed=False), _release(3), _release(4, 1), _release(5, 2)]
    assert [rollback_target(releases, number) for number in (1, 3, 4, 5)] == [None, 1, 1, 4]


def test_what_is_served_or_may_be_at_any_moment_stays() -> None:
    releases = [_release(1), _release(2), _release(3, 1), *(_release(n, passed=n == 6) for n in range(4, 9))]
    assert staying(releases, 3, keep=1) == {1, 3, 6, 8}
    assert staying(releases, 3, keep=1, protected=(2, 99)) == {1, 2, 3, 6, 8}
    assert staying(releases, None, keep=2) == {6, 7, 8}
    assert staying([], None, keep=1) == set()


@given(
    chain=st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=12),
    keep=st.integers(1, 5),
    data=st.data(),
)
def test_a_rollback_works_after_any_pruning(
    chain: list[tuple[int, bool]], keep: int, data: st.DataObject
) -> None:
    releases = [
        _release(number, parent if 0 < parent < number else None, passed=passed)
        for number, (parent, passed) in enumerate(chain, start=1)
    ]
    current = data.draw(st.integers(1, len(releases)))
    stay = staying(releases, current, keep)
    left = [one for one in releases if one.release in stay]
    assert current in stay
    assert rollback_target(left, current) == rollback_target(releases, current)
    assert {one.release for one in releases[-keep:]} <= stay


@pytest.mark.parametrize("place", ["{}/releases", "memory://retention"])
def test_both_kinds_of_store_keep_them(
    tmp_path: Path, artefacts: Path, window: DataWindow, place: str
) -> None:
    store = open_store(place.format(tmp_path))
    for number in range(1, 7):
        (artefacts / "index.faiss").write_bytes(b"%d" % number)
        store.publish(artefacts, data=window, metrics={}, gate=Verdict(passed=number != 6))
    store.set_current(3)
    assert store.prune(keep=1, protected=(1,)) == (4,)
    assert store.numbers() == (1, 2, 3, 5, 6)
    for number in store.numbers():
        store.verify(number)
    if isinstance(store, ReleaseStore):
        assert store.prune(keep=1) == (1,)
