"""A circuit breaker: a service that does not answer is left alone for a while, then tried again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from recsys.errors import Unavailable

_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Breaker:
    """Guards calls to one service.

    Closed, every call goes through. After `failures` calls in a row raised `Unavailable` it opens: calls
    fail at once instead of each waiting for its time limit. After `cooldown_s` one call is let through as
    a probe, and its success closes the breaker again; nothing has to be restarted. Each failed probe doubles
    the wait for the next one, up to `longest_s`.
    (M. Nygard, Release It!, 2007, "Circuit Breaker".)

    With a `probe` of its own no call is ever a probe: a thread tries until the service answers. So nobody
    waits for a service that is known to be away, nor, where calls are made one after another, behind others.

    Args:
        failures: Failed calls in a row that open it.
        cooldown_s: Seconds it stays open before the first probe.
        longest_s: Most seconds between probes.
        clock: Monotonic seconds.
        probe: Asks the service for a sign of life, within a time limit, and raises without one.
    """

    def __init__(
        self,
        failures: int = 2,
        cooldown_s: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        longest_s: float = 4.0,
        probe: Callable[[], object] | None = None,
    ) -> None:
        self._limit = failures
        self._cooldown_s = cooldown_s
        self._longest_s = max(longest_s, cooldown_s)
        self._clock = clock
        self._probe = probe
        self._probing = False
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._failed = 0
        self._wait_s = cooldown_s
        self._retry_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are being refused; also true while the next one would be a probe."""
        return self._failed >= self._limit

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the service through the breaker.

        Returns:
            What the function returned.

        Raises:
            Unavailable: The function raised it, or the breaker is open.
        """
        self._admit()
        try:
            result = function(*args, **kwargs)
        except Unavailable as error:
            self._count(error)
            raise
        self._close()
        return result

    async def call_async(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a service of asyncio through the breaker; see `call`.

        Returns:
            What the function's awaitable gave.

        Raises:
            Unavailable: The function raised it, or the breaker is open.
        """
        self._admit()
        try:
            result = await function(*args, **kwargs)
        except Unavailable as error:
            self._count(error)
            raise
        self._close()
        return result

    def close(self) -> None:
        """Stop trying a service that is away; calls are refused or let through as before."""
        self._closed.set()

    def _admit(self) -> None:
        with self._lock:
            if not self.is_open:
                return
            now = self._clock()
            if now < self._retry_at or self._probe is not None:
                raise Unavailable("circuit breaker", "open after failed calls", "It tries again by itself")
            # This call is the probe; others keep failing fast until it is back.
            self._wait_s = min(self._longest_s, 2 * self._wait_s)
            self._retry_at = now + self._wait_s

    def _count(self, error: Unavailable) -> None:
        with self._lock:
            self._failed += 1
            if self.is_open:
                self._retry_at = self._clock() + self._wait_s
            if self._failed == self._limit:
                _log.warning("%s; not asked again for %g s", error, self._cooldown_s)
            if self.is_open and self._probe is not None and not self._probing:
                self._probing = True
                threading.Thread(target=self._watch, args=(self._probe,), name="probe", daemon=True).start()

    def _watch(self, probe: Callable[[], object]) -> None:
        """Try until the service answers."""
        wait_s, answered = self._cooldown_s, False
        while not answered and not self._closed.wait(wait_s):
            try:
                probe()
            except Exception:  # noqa: BLE001 - whatever it is, the service does not answer yet
                wait_s = min(self._longest_s, 2 * wait_s)
            else:
                answered = True
        with self._lock:
            self._probing = False
        if answered:
            self._close()

    def _close(self) -> None:
        with self._lock:
            if self.is_open:
                _log.warning("answers again after %d failed calls", self._failed)
            self._failed = 0
            self._wait_s = self._cooldown_s
