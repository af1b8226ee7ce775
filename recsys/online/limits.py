"""How many requests a key may make: a token bucket each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimiter:
    """Token buckets by name.

    A bucket holds `burst` tokens and gains `rate_per_s` a second; a request takes one. Names come from known
    API keys, so their number is bounded.

    Args:
        rate_per_s: Lasting rate.
        burst: Most requests at once.
        clock: Monotonic seconds.
    """

    def __init__(self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, name: str) -> float:
        """Take a token.

        Args:
            name: Whose bucket.

        Returns:
            0 if there was one; else seconds until there will be, and none was taken.
        """
        with self._lock:
            now = self._clock()
            tokens, then = self._buckets.get(name, (self._burst, now))
            tokens = min(self._burst, tokens + (now - then) * self._rate_per_s)
            granted = tokens >= 1
            self._buckets[name] = (tokens - 1 if granted else tokens, now)
            return 0.0 if granted else (1 - tokens) / self._rate_per_s
