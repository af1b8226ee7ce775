"""The gateway's writes: events into the log, users out of it.

They have threads and a breaker of their own, so that shops which send events again and again while Valkey
is away take nothing from those who ask for recommendations.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from recsys.online.event_log import EventLog
from recsys.online.events import FORGET, Event
from recsys.online.forget import Forgetter
from recsys.schema import NO_ITEM
from recsys.serving.breaker import Breaker

T = TypeVar("T")

_THREADS: Final = 8


class Writer:
    """Writes from an event loop.

    Args:
        log: Where events go.
        forgetter: Deletes what is kept of a user.
        breaker: Guards both.
    """

    def __init__(self, log: EventLog, forgetter: Forgetter, breaker: Breaker | None = None) -> None:
        self._log = log
        self._forgetter = forgetter
        self._breaker = breaker or Breaker(failures=_THREADS)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="writer")

    async def append(self, events: Sequence[Event]) -> None:
        """Write events; when this returns they are in the log.

        Raises:
            Unavailable: The log did not answer in time, is full, or is being left alone by the breaker.
        """
        await self._run(lambda: self._log.append(events))

    async def forget(self, user_id: int) -> int:
        """Forget a user.

        Args:
            user_id: The user.

        Returns:
            The moment up to which events are refused from now on, milliseconds since 1970.

        Raises:
            Unavailable: As for `append`; a second try is harmless.
        """
        return await self._run(lambda: self._forget(user_id))

    def close(self) -> None:
        """Finish what is under way."""
        self._threads.shutdown()

    def _forget(self, user_id: int) -> int:
        until_ms = self._forgetter.forget(user_id)
        # The worker may be writing this user's features right now; it clears them again when it gets here.
        told = Event(f"forget-{uuid.uuid4().hex}", user_id, NO_ITEM, until_ms, event_type=FORGET)
        self._log.append([told])
        return until_ms

    async def _run(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._breaker.call, work)
