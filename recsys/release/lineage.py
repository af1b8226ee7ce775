"""From which release, and on which days, a daily fine-tuning starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from recsys.data.dataset import Dataset
from recsys.data.splits import with_split
from recsys.errors import BadUse
from recsys.release.manifest import Manifest, read_manifest
from recsys.release.releases import Releases


@dataclass(frozen=True)
class Lesson:
    """What a fine-tuning is to learn.

    Attributes:
        parent: The release to start from.
        days: The new days, ascending.
        learned: The days that the parent was trained on.
    """

    parent: int
    days: tuple[int, ...]
    learned: tuple[int, ...]

    @property
    def all_days(self) -> list[int]:
        """All that the fine-tuned release will have learned, ascending."""
        return sorted({*self.learned, *self.days})


def plan_lesson(
    store: Releases, available: Iterable[int], days: Sequence[int] = (), release: int = 0
) -> Lesson:
    """Chooses the parent and the days.

    Asked again for what the current release has learned already, it gives the lesson that taught it: so a run
    that is repeated has the same inputs, and ends with the same release.

    Args:
        store: The releases.
        available: Days that the data set holds.
        days: The days to learn; empty for all that are newer than the parent's but the newest, which judges.
        release: The parent; 0 for the current release, or that ancestor of it which has not learned `days`.

    Raises:
        BadUse: There is no such parent, a day is not there, was learned before, or none comes after it.
    """
    there = sorted(set(available))
    number = release or store.current()
    if number is None:
        raise BadUse("release", "none is current", "Train fully first: `recsys pipeline run full`")
    if release:
        return _lesson(store.show(number), there, days)
    line = list(_line(store, number))
    if days:
        unlearned = (one for one in line if max(one.data.days) < min(days))
        return _lesson(next(unlearned, line[0]), there, days)
    if not _new(line[0], there):
        for child, parent in pairwise(line):
            if parent.data.days != child.data.days:  # one that only added items has learned no day
                return _lesson(parent, there, sorted({*child.data.days} - {*parent.data.days}))
    return _lesson(line[0], there, ())


def _line(store: Releases, number: int) -> Iterator[Manifest]:
    """The release, its parent, and so on while they are there."""
    known, next_one = store.numbers(), number
    while next_one in known:
        one = store.show(next_one)
        yield one
        if one.parent is None:
            return
        next_one = one.parent


def _new(parent: Manifest, there: Sequence[int]) -> list[int]:
    """Days after the parent's, but for the newest one there is."""
    return [day for day in there[:-1] if day > max(parent.data.days)]


def _lesson(parent: Manifest, there: Sequence[int], days: Sequence[int]) -> Lesson:
    learned = parent.data.days
    wanted = sorted(set(days)) or _new(parent, there)
    name = f"release {parent.release}"
    if not wanted:
        raise BadUse(
            name,
            f"has learned days up to {max(learned)}: no newer one is there, and one after it to judge by",
            "Wait for the next day",
        )
    if absent := [day for day in wanted if day not in there]:
        raise BadUse(f"day {absent[0]}", "the data set does not hold it", f"It holds {there[0]}-{there[-1]}")
    if wanted[0] <= max(learned):
        raise BadUse(
            name, f"has learned day {wanted[0]} or a later one", "Give newer days, or another --release"
        )
    if wanted[-1] >= there[-1]:
        raise BadUse(f"day {wanted[-1]}", "no day comes after it to judge by", "Leave it for tomorrow")
    return Lesson(parent.release, tuple(wanted), learned)


def judged_by(dataset: Dataset, release_dir: Path) -> Dataset:
    """The data set as it says how good a release is: split after the days that this has learned.

    Args:
        dataset: Holds a day after them.
        release_dir: The release, with its manifest.

    Raises:
        BadUse: It holds none of the days, or none after them.
    """
    learned = read_manifest(release_dir).data.days
    return with_split(dataset, [day for day in learned if day in dataset.days])


def succeed(store: Releases, number: int, parent: int) -> bool:
    """Makes a release current in the place of its parent; where another has become current, that one stays.

    Args:
        store: The releases.
        number: The release, which its gate let through.
        parent: The release that it was made from.

    Returns:
        Whether it is the current one now.

    Raises:
        BadUse: Its gate refused it.
    """
    if store.current() == parent:
        store.set_current(number)
    return store.current() == number
