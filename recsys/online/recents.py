"""A user's items of the last 24 hours, newest first."""

from __future__ import annotations

from typing import Final

import numpy as np
import redis
from numpy.typing import NDArray

from recsys.online import keys
from recsys.online.clock import Clock, wall_ms
from recsys.online.connection import answering

RECENT_MS: Final = 24 * 3600 * 1000
RECENT_ITEMS: Final = 200
"""At most so many are kept a user."""


class Recents:
    """Reads the lists that the behaviour worker keeps.

    Args:
        client: Client of Valkey with time limits.
        now_ms: Clock, milliseconds since 1970.
    """

    def __init__(self, client: redis.Redis, now_ms: Clock = wall_ms) -> None:
        self._client = client
        self._now_ms = now_ms

    def of(self, user_id: int, n: int = RECENT_ITEMS) -> NDArray[np.int64]:
        """A user's recent items.

        Args:
            user_id: The user.
            n: At most so many.

        Returns:
            int64 [up to n], the last touched first, none twice.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        with answering():
            oldest = self._now_ms() - RECENT_MS
            found = self._client.zrevrangebyscore(keys.recent(user_id), "+inf", f"({oldest}", start=0, num=n)
        return np.array([int(item) for item in found], dtype=np.int64)
