from __future__ import annotations

from pathlib import Path

import pytest
from factories.shop import make_shop

from recsys.data.dataset import Dataset
from recsys.data.splits import valid_days
from recsys.errors import BadUse
from recsys.release.lineage import Lesson, judged_by, plan_lesson, succeed
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.store import ReleaseStore


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


def publish(
    store: ReleaseStore, folder: Path, days: range, parent: int | None = None, kind: str = "daily"
) -> int:
    """A release of one file; its number is current."""
    folder.mkdir(exist_ok=True)
    (folder / "file").write_text(f"{days} {parent} {kind}")
    window = DataWindow(fingerprint="f", days=tuple(days))
    number = store.publish(folder, data=window, metrics={}, parent=parent, kind=kind if parent else "full")
    store.set_current(number)
    return number


def test_all_days_since_the_parent_are_learned_but_the_newest_which_judges(store, tmp_path):
    publish(store, tmp_path / "made", range(9))
    assert plan_lesson(store, range(14)) == Lesson(1, (9, 10, 11, 12), tuple(range(9)))
    assert plan_lesson(store, range(14), [11, 10]).days == (10, 11)
    assert plan_lesson(store, range(11)).all_days == list(range(10))


def test_asked_again_it_gives_the_lesson_that_taught_the_current_release(store, tmp_path):
    first = publish(store, tmp_path / "made", range(9))
    lesson = plan_lesson(store, range(11))
    second = publish(store, tmp_path / "made", range(10), parent=first)
    assert plan_lesson(store, range(11)) == lesson
    assert plan_lesson(store, range(11), [9]) == lesson
    assert plan_lesson(store, range(12)) == Lesson(second, (10,), tuple(range(10)))
    third = publish(store, tmp_path / "made", range(11), parent=second)
    assert plan_lesson(store, range(12), [9]) == lesson
    assert plan_lesson(store, range(12), [10]).parent == second
    assert plan_lesson(store, range(13)).parent == third


def test_a_release_that_learned_no_day_is_no_step_back(store, tmp_path):
    """Such as one that only added items: the days were learned by the release before it."""
    first = publish(store, tmp_path / "made", range(9))
    second = publish(store, tmp_path / "made", range(10), parent=first)
    publish(store, tmp_path / "made", range(10), parent=second, kind="items")
    assert plan_lesson(store, range(11)).parent == first
    assert plan_lesson(store, range(12)).parent == 3


def test_the_parent_may_be_named(store, tmp_path):
    first = publish(store, tmp_path / "made", range(9))
    publish(store, tmp_path / "made", range(11), parent=first)
    assert plan_lesson(store, range(13), release=1) == Lesson(1, (9, 10, 11), tuple(range(9)))


@pytest.mark.parametrize(
    ("there", "days", "said"),
    [
        (range(9), [], "has learned days up to 8"),
        (range(10), [], "has learned days up to 8"),
        (range(12), [8, 9], "has learned day 8"),
        (range(12), [12], "day 12: the data set does not hold it"),
        (range(12), [11], "day 11: no day comes after it"),
    ],
)
def test_a_lesson_that_cannot_be_is_refused(store, tmp_path, there, days, said):
    publish(store, tmp_path / "made", range(9))
    with pytest.raises(BadUse, match=said):
        plan_lesson(store, there, days)


def test_without_a_release_there_is_nothing_to_start_from(store):
    with pytest.raises(BadUse, match="none is current"):
        plan_lesson(store, range(12))


def test_a_release_follows_its_parent_only(store, tmp_path):
    first = publish(store, tmp_path / "made", range(9))
    second = publish(store, tmp_path / "made", range(10), parent=first)
    store.set_current(first)
    assert succeed(store, second, parent=first)
    assert store.current() == second
    assert succeed(store, second, parent=first), "a second time is no failure"
    third = publish(store, tmp_path / "made", range(10, 11), parent=first)
    store.set_current(second)
    assert not succeed(store, third, parent=first)
    assert store.current() == second


def test_a_refused_release_never_follows(store, tmp_path):
    first = publish(store, tmp_path / "made", range(9))
    (tmp_path / "made" / "file").write_text("refused")
    window = DataWindow(fingerprint="f", days=tuple(range(10)))
    refused = store.publish(
        tmp_path / "made",
        data=window,
        metrics={},
        parent=first,
        gate=Verdict(passed=False, reason="worse"),
    )
    with pytest.raises(BadUse, match="refused by its gate: worse"):
        succeed(store, refused, parent=first)
    assert store.current() == first


def test_a_release_is_judged_by_days_that_it_has_not_learned(store, tmp_path):
    shop = Dataset.open(make_shop(tmp_path / "shop", rows=20, days=range(13)))
    first = publish(store, tmp_path / "made", range(9))
    daily = publish(store, tmp_path / "made", range(12), parent=first)
    assert valid_days(judged_by(shop, store.path(first))) == valid_days(shop) == [9, 10, 11]
    assert valid_days(judged_by(shop, store.path(daily))) == [12]
    last = publish(store, tmp_path / "made", range(13), parent=daily)
    with pytest.raises(BadUse, match="no day comes after"):
        judged_by(shop, store.path(last))
