"""Gathers callers who ask at about the same time into one call: batching once, at the door.

A call has a cost of its own, whoever is in it: fourteen hops inside Triton. Waiting for company inside the
models would be paid at each of them; here it is paid once, and only while others are under way:

* Nobody is under way: the caller goes at once, with those who came in the same turn of the event loop.
* A lane is free: after a wait for company that is short beside what a call takes, or as soon as there are
  as many as are under way.
* All lanes are taken: when one becomes free.

Whoever would be answered too late, by what the calls before took, is refused at once; so no queue grows
longer than callers' deadlines allow. Calls that take long are made smaller.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from recsys.errors import Unavailable
from recsys.settings import GatewaySettings

Q = TypeVar("Q")
A = TypeVar("A")

_SHRINK: Final = 0.7
_LEAST: Final = 4
"""Callers in a batch below which its size does not shrink."""
_COMPANY: Final = 0.15
"""Of the time that a call takes, what may be spent on waiting for company."""
_NEWEST: Final = 0.3
"""Weight of the newest call in what calls are thought to take."""
_TURNS: Final = 8
"""Full turns of all lanes that may wait: a bound for calls of which nothing is known yet."""


class Crowded(Unavailable):
    """So many ask that this caller would be answered too late: nothing is wrong with the service."""


class Late(Unavailable):
    """A caller's time is over before the answer came."""


@dataclass(frozen=True)
class Limits:
    """How callers are gathered.

    Attributes:
        size: Most callers in a call.
        wait_s: Wait for company while a lane is free, in seconds; longer where calls take long.
        lanes: Calls under way beyond which callers gather until one ends.
        slow_s: A call that takes longer makes the next ones smaller.
    """

    size: int = 32
    wait_s: float = 0.001
    lanes: int = 2
    slow_s: float = 0.1

    @classmethod
    def of(cls, settings: GatewaySettings) -> Limits:
        """As the settings say; a call is slow if two in a row would use up the callers' time."""
        slow_s = 0.45 * (settings.deadline_s - settings.reserve_s)
        return cls(settings.batch_size, settings.batch_wait_s, settings.batch_lanes, slow_s)


@dataclass(frozen=True)
class _Caller(Generic[Q, A]):
    question: Q
    deadline: float
    answer: asyncio.Future[A]
    came: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class _Lane:
    callers: int
    began: float = field(default_factory=time.monotonic)


class Batcher(Generic[Q, A]):
    """One door to a service that answers many questions in one call; for one event loop.

    Args:
        send: Asks the service: questions, and the moment of the monotonic clock after which nobody waits for
            the answers, which come in the same order. It is never cancelled. What it raises for several
            questions may be the fault of one: each is then asked alone, unless it is `Unavailable`, which is
            nobody's fault.
        name: Of the service, for errors.
        limits: How callers are gathered.

    Attributes:
        size: Most callers in a call, as of now.
        call_s: Seconds that a call takes, as of late.
        answered_at: Moment of the monotonic clock at which a call was last answered.
    """

    def __init__(
        self, send: Callable[[Sequence[Q], float], Awaitable[Sequence[A]]], name: str, limits: Limits
    ) -> None:
        self._send, self._name, self._limits = send, name, limits
        self.size = float(limits.size)
        self._waiting: list[_Caller[Q, A]] = []
        self._present = 0
        self.call_s = 0.0
        self.answered_at = -math.inf
        self._taken: set[_Lane] = set()
        self._timer: asyncio.Handle | None = None
        self._calls: set[asyncio.Task[None]] = set()

    def expected_s(self) -> float:
        """Seconds until one more caller would be answered, by what calls took of late; infinite when full."""
        lanes, size = self._limits.lanes, int(self.size)
        if self._present >= _TURNS * lanes * self._limits.size:
            return math.inf
        if not self._taken:
            return 0.0  # somebody must go and see, however slow it was
        if len(self._taken) < lanes:
            return self.call_s
        oldest = min(lane.began for lane in self._taken)
        free_s = max(0.0, oldest + self.call_s - time.monotonic())
        return free_s + len(self._waiting) // size * self.call_s / lanes + self.call_s

    async def ask(self, question: Q, deadline: float) -> A:
        """One caller's answer.

        Args:
            question: What is asked.
            deadline: Moment of the monotonic clock at which this caller stops waiting.

        Raises:
            Crowded: There would be no answer in time.
            Late: There was none.
            Unavailable: The service failed.
            Exception: What `send` raised for this question alone.
        """
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise Late(self._name, "no time left to ask it", "Allow a longer deadline")
        if self.expected_s() > left_s:
            raise Crowded(self._name, f"{self._present} callers wait for it", "Add replicas")
        loop = asyncio.get_running_loop()
        caller: _Caller[Q, A] = _Caller(question, deadline, loop.create_future())
        self._waiting.append(caller)
        self._present += 1
        late = loop.call_later(left_s, self._give_up, caller.answer, left_s)
        try:
            self._schedule()
            return await caller.answer  # the caller's own future; the call goes on for the others
        finally:
            self._present -= 1
            late.cancel()

    def _give_up(self, answer: asyncio.Future[A], waited_s: float) -> None:
        if not answer.done():
            answer.set_exception(Late(self._name, f"no answer in {waited_s:.3f} s", "See `recsys status`"))

    def _schedule(self) -> None:
        """Arrange for those who wait to be sent."""
        if not self._waiting or len(self._taken) >= self._limits.lanes:
            return
        under_way = sum(lane.callers for lane in self._taken)
        enough = max(under_way, _LEAST) if self._taken else int(self.size)
        if len(self._waiting) >= min(enough, int(self.size)):
            self._flush()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            wait_s = max(self._limits.wait_s, _COMPANY * self.call_s) if self._taken else 0.0
            wait_s -= time.monotonic() - self._waiting[0].came
            self._timer = loop.call_later(wait_s, self._flush) if wait_s > 0 else loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send one batch, if there is a lane for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if len(self._taken) >= self._limits.lanes:
            return
        waiting = [each for each in self._waiting if not each.answer.done()]
        batch, self._waiting = waiting[: int(self.size)], waiting[int(self.size) :]
        if batch:
            lane = _Lane(len(batch))
            self._taken.add(lane)
            call = asyncio.ensure_future(self._call(batch, lane))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        self._schedule()

    async def _call(self, batch: Sequence[_Caller[Q, A]], lane: _Lane) -> None:
        began = time.monotonic()
        latest = max(each.deadline for each in batch)
        # A call that nobody waits for any more no longer holds its lane, and is left to itself.
        late = asyncio.get_running_loop().call_later(latest - began, self._leave, lane)
        outcomes = await self._outcomes([each.question for each in batch], latest)
        late.cancel()
        self._learn(len(batch), time.monotonic() - began)
        self._leave(lane)  # before anybody is answered: who asks again at once must find it free
        for each, outcome in zip(batch, outcomes, strict=True):
            if each.answer.done():
                continue
            if isinstance(outcome, Exception):
                each.answer.set_exception(outcome)
            else:
                each.answer.set_result(outcome)

    def _leave(self, lane: _Lane) -> None:
        self._taken.discard(lane)
        self._schedule()

    def _learn(self, callers: int, seconds: float) -> None:
        self.answered_at = time.monotonic()
        self.call_s += _NEWEST * (seconds - self.call_s) if self.call_s else seconds
        if seconds > self._limits.slow_s:
            self.size = max(min(_LEAST, self._limits.size), self.size * _SHRINK)
        elif callers >= int(self.size):
            self.size = min(self._limits.size, self.size + 1)

    async def _outcomes(self, questions: Sequence[Q], deadline: float) -> Sequence[A | Exception]:
        """Each question's answer, or what went wrong with it."""
        try:
            return await self._send(questions, deadline)
        except Unavailable as error:
            return [error] * len(questions)
        except Exception as error:  # noqa: BLE001 - whose fault it is shows when each asks alone
            if len(questions) == 1:
                return [error]
            alone = await asyncio.gather(*(self._outcomes([each], deadline) for each in questions))
            return [outcome for (outcome,) in alone]
