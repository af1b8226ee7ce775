"""Gathers callers who ask at about the same time into one call: batching once, at the door.

A call has a cost of its own, whoever is in it: fourteen hops inside Triton. Waiting for company inside the
models would be paid at each of them; here it is paid once, and only while others are under way:

* Nobody is under way: the caller goes at once, with those who came in the same turn of the event loop.
* A lane is free: after a short wait for company, or as soon as there is enough of it.
* All lanes are taken: when one becomes free. One more batch may wait; whoever comes beyond it is refused.

Calls that take long are made smaller, and so is the crowd that may wait: callers have deadlines, and a batch
that answers all of them too late is worth nothing.
"""

from __future__ import annotations

import asyncio
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


@dataclass(frozen=True)
class Limits:
    """How callers are gathered.

    Attributes:
        size: Most callers in a call.
        wait_s: Longest wait for company while a lane is free, in seconds.
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
    """

    def __init__(
        self, send: Callable[[Sequence[Q], float], Awaitable[Sequence[A]]], name: str, limits: Limits
    ) -> None:
        self._send, self._name, self._limits = send, name, limits
        self.size = float(limits.size)
        self._waiting: list[_Caller[Q, A]] = []
        self._present = 0
        self._taken: set[object] = set()
        self._timer: asyncio.Handle | None = None
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def is_full(self) -> bool:
        """Whether so many callers are here that one more would wait for a second turn."""
        return self._present >= int(self.size) * (self._limits.lanes + 1)

    async def ask(self, question: Q, deadline: float) -> A:
        """One caller's answer.

        Args:
            question: What is asked.
            deadline: Moment of the monotonic clock at which this caller stops waiting.

        Raises:
            Unavailable: No answer in time, or too many wait already.
            Exception: What `send` raised for this question alone.
        """
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise Unavailable(self._name, "no time left to ask it", "Allow a longer deadline")
        if self.is_full:
            raise Unavailable(self._name, f"{self._present} callers wait for it", "Add replicas")
        caller: _Caller[Q, A] = _Caller(question, deadline, asyncio.get_running_loop().create_future())
        self._waiting.append(caller)
        self._present += 1
        try:
            self._schedule()
            await asyncio.wait({caller.answer}, timeout=left_s)
            if not caller.answer.done():
                raise Unavailable(self._name, f"no answer in {left_s:.3f} s", "See `recsys status`")
            return caller.answer.result()
        finally:
            self._present -= 1
            caller.answer.cancel()  # the caller's own future; the call goes on for the others

    def _schedule(self) -> None:
        """Arrange for those who wait to be sent."""
        if not self._waiting or len(self._taken) >= self._limits.lanes:
            return
        if len(self._waiting) >= int(self.size):
            self._flush()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            wait_s = self._waiting[0].came + self._limits.wait_s - time.monotonic()
            if self._taken and wait_s > 0:
                self._timer = loop.call_later(wait_s, self._flush)
            else:
                self._timer = loop.call_soon(self._flush)

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
            lane = object()
            self._taken.add(lane)
            call = asyncio.ensure_future(self._call(batch, lane))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        self._schedule()

    async def _call(self, batch: Sequence[_Caller[Q, A]], lane: object) -> None:
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

    def _leave(self, lane: object) -> None:
        self._taken.discard(lane)
        self._schedule()

    def _learn(self, callers: int, seconds: float) -> None:
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
