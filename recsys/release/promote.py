"""A release put before the shop on every replica, or on none of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from recsys.errors import BadUse, RecsysError
from recsys.release.replica import Replica
from recsys.serving.layout import Layout, only

_log = logging.getLogger(__name__)

Report = Callable[[str, str], None]
"""Told a replica's name and what happens to it."""

Step = Callable[[Replica], None]


def silent(_replica: str, _event: str) -> None:
    """A report that nobody reads."""


@dataclass(frozen=True)
class Promotion:
    """What a promotion did.

    Attributes:
        release: What is served now.
        replicas: Names of those that serve it.
        seconds: How long each part took: load, compare, switch, settle.
        unsettled: What could not be tidied up afterwards; every replica serves the release all the same.
    """

    release: int
    replicas: list[str]
    seconds: dict[str, float] = field(default_factory=dict)
    unsettled: list[str] = field(default_factory=list)


class Promoter:
    """Brings releases to replicas.

    Args:
        find: The replicas that there are now; asked again after the switch, for those that came meanwhile.
        at_once: Replicas that load at the same time: one where they share a machine.
        drain_s: Seconds between the switch and the unloading of the old release.
        standby: Whether the release that was served before stays loaded, so that going back takes no loading;
            the next promotion unloads it.
        report: Told each replica's progress.
    """

    def __init__(
        self,
        find: Callable[[], Sequence[Replica]],
        at_once: int = 1,
        drain_s: float = 1.0,
        standby: bool = False,
        report: Report = silent,
    ) -> None:
        self._find = find
        self._standby = standby
        self._at_once = at_once
        self._drain_s = drain_s
        self._report = report

    def promote(self, number: int, compare: Step, commit: Callable[[], None]) -> Promotion:
        """Serve a release on every replica: load, compare, switch, commit, drain, unload.

        A replica that fails before the commit brings all others back to what they served, and the failure is
        raised. Repeating a promotion that was killed completes it. A challenger makes room.

        Args:
            number: The release.
            compare: Warms a replica and raises if it does not answer like the release itself.
            commit: Moves the serving pointer; called once all replicas have switched.

        Raises:
            RecsysError: Nothing has changed.
        """
        replicas = self._reach()
        before = {replica.name: replica.layout() for replica in replicas}
        seconds: dict[str, float] = {}
        try:
            self._stage(replicas, number, compare, seconds)
            with _timed(seconds, "switch"):
                self._each(replicas, lambda one: one.switch(number), "switching", len(replicas))
            commit()
        except BaseException:
            # Interrupts too: half a promotion must not stay.
            self._bring_back(replicas, before)
            raise
        with _timed(seconds, "settle"):
            replicas = self._late(replicas, number, compare)
            time.sleep(self._drain_s)
            unsettled = self._settle(
                replicas, lambda one: settled(before.get(one.name), number, standby=self._standby)
            )
        return Promotion(number, [one.name for one in replicas], seconds, unsettled)

    def challenge(self, number: int, compare: Step) -> Promotion:
        """Load a release beside the one that is served, on every replica, and leave it there.

        Raises:
            RecsysError: Nothing has changed.
        """
        replicas = self._reach()
        before = {replica.name: replica.layout() for replica in replicas}
        _refuse_others(before, number)
        seconds: dict[str, float] = {}
        try:
            self._stage(replicas, number, compare, seconds)
        except BaseException:
            self._bring_back(replicas, before)
            raise
        return Promotion(number, [one.name for one in replicas], seconds)

    def withdraw(self) -> Promotion:
        """Unload everything but what is served, on every replica.

        Raises:
            RecsysError: A replica cannot be reached.
        """
        replicas = self._reach()
        serving = {replica.layout().ensemble for replica in replicas}
        if len(serving) > 1:
            cause = f"replicas answer from {sorted(serving)}"
            raise BadUse("challenger", cause, "Promote one of them first")
        (number,) = serving
        unsettled = self._settle(replicas, lambda _: only(number))
        return Promotion(number, [one.name for one in replicas], {}, unsettled)

    def _reach(self) -> list[Replica]:
        replicas = list(self._find())
        if not replicas:
            raise BadUse("replicas", "there are none", "Start them, or name them with --replica")
        return replicas

    def _stage(
        self, replicas: Sequence[Replica], number: int, compare: Step, seconds: dict[str, float]
    ) -> None:
        with _timed(seconds, "load"):
            self._each(replicas, lambda one: one.add(number), "loading", self._at_once)
        with _timed(seconds, "compare"):
            self._each(replicas, compare, "comparing answers", self._at_once)

    def _late(self, replicas: Sequence[Replica], number: int, compare: Step) -> list[Replica]:
        """All replicas, those included that started while the others were promoted, on the release."""
        known = {one.name for one in replicas}
        late = [one for one in self._find() if one.name not in known]
        for one in late:
            if one.layout().ensemble != number:
                self._report(one.name, "came late")
                one.add(number)
                compare(one)
                one.switch(number)
        return [*replicas, *late]

    def _each(self, replicas: Sequence[Replica], step: Step, event: str, at_once: int) -> None:
        """Do a step on all replicas; the first failure is raised once none is at work any more."""

        def run(one: Replica) -> None:
            self._report(one.name, event)
            step(one)

        if at_once == 1:
            for one in replicas:
                run(one)
            return
        with ThreadPoolExecutor(at_once) as pool:
            for done in [pool.submit(run, one) for one in replicas]:
                done.result()

    def _bring_back(self, replicas: Sequence[Replica], before: dict[str, Layout]) -> None:
        for one in replicas:
            self._report(one.name, "going back")
            try:
                one.settle(before[one.name])
            except RecsysError as error:
                # The others must go back all the same; what failed here is told beside the first failure.
                _log.error("did not go back: %s", error)
                self._report(one.name, f"did not go back: {error}")

    def _settle(self, replicas: Sequence[Replica], layout: Callable[[Replica], Layout]) -> list[str]:
        unsettled = []
        for one in replicas:
            self._report(one.name, "settling")
            try:
                one.settle(layout(one))
            except RecsysError as error:
                # It answers from the release already, so this does not undo the promotion.
                _log.error("not tidied up: %s", error)
                unsettled.append(str(error))
        return unsettled


def settled(before: Layout | None, number: int, *, standby: bool) -> Layout:
    """What a server holds in the end: the old release stays on standby behind a newer one only.

    Args:
        before: What it held; None where it came since.
        number: The release that is served now.
        standby: See `Promoter`.
    """
    if standby and before is not None and before.ensemble < number:
        return Layout((before.ensemble, number), number)
    return only(number)


class _timed:  # noqa: N801 - reads as a verb where it is used
    """Adds the seconds of a block to a dictionary."""

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds, self._name = seconds, name

    def __enter__(self) -> None:
        self._begin = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = round(time.monotonic() - self._begin, 3)


def _refuse_others(before: dict[str, Layout], number: int) -> None:
    """One challenger at a time: loading another would take the first one's place unnoticed."""
    for name, layout in before.items():
        if layout.challenger not in (None, number, layout.ensemble):
            raise BadUse(
                f"replica {name}",
                f"release {layout.challenger} is its challenger",
                "Withdraw it first with `recsys release withdraw`",
            )
