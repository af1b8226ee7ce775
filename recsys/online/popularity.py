"""Decayed interaction counts: what is popular over all, in each category, and trending right now.

An interaction at time t_i counts `2 ** -((t - t_i) / half_life)` at a later time t. This is exponential
forward decay (Cormode, Shkapenyuk, Srivastava, Xu 2009, "Forward Decay: A Practical Time Decay Model for
Streaming Systems"): its order does not depend on t, so nothing is ever rewritten as time passes. Where
the paper moves its landmark to keep weights finite, the sorted sets hold the logarithm instead, `log2(sum
2 ** (t_i / half_life))`, which no number of years overflows.

A full list lets a new item in by SpaceSaving (Metwally, Agrawal, El Abbadi 2005): it takes the place and
the count of the least one. Every item with more than 1/size of all interactions is in the list; counts at
its end are too high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import redis
from numpy.typing import NDArray

from recsys.online import keys
from recsys.online.clock import Clock, wall_ms
from recsys.online.connection import answering
from recsys.settings import PopularitySettings

COUNT_LUA = """
-- Adds one interaction to a list of decayed counts; score: log2 of the sum of 2 ^ (time / half-life).
local function count(key, item, at_ms, half_life_ms, size)
  local score, old = at_ms / half_life_ms, tonumber(redis.call('ZSCORE', key, item) or false)
  if not old and redis.call('ZCARD', key) >= tonumber(size) then
    old = tonumber(redis.call('ZPOPMIN', key)[2])
  end
  if old then
    local high, low = math.max(old, score), math.min(old, score)
    score = high + math.log(1 + 2 ^ (low - high)) / math.log(2)
  end
  redis.call('ZADD', key, score, item)
end
"""


@dataclass(frozen=True)
class PopularItems:
    """The head of a list.

    Attributes:
        ids: int64 [n], most popular first.
        counts: float64 [n], decayed interactions as of the time asked for.
    """

    ids: NDArray[np.int64]
    counts: NDArray[np.float64]


class Popularity:
    """Reads the lists that the behaviour worker keeps.

    Args:
        client: Client of Valkey with time limits.
        settings: Half-lives.
        now_ms: Clock, milliseconds since 1970.
    """

    def __init__(self, client: redis.Redis, settings: PopularitySettings, now_ms: Clock = wall_ms) -> None:
        self._client = client
        self._settings = settings
        self._now_ms = now_ms

    def top(self, key: str = keys.POPULAR, n: int = 100) -> PopularItems:
        """The most popular items of one list.

        Args:
            key: `keys.POPULAR`, `keys.TRENDING`, or a category's list.
            n: At most so many.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        return self.tops([key], n)[0]

    def tops(self, names: list[str], n: int = 100) -> list[PopularItems]:
        """The most popular items of several lists, in one round trip.

        Args:
            names: Keys as for `top`.
            n: At most so many of each.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        with answering():
            pipeline = self._client.pipeline(transaction=False)
            for name in names:
                pipeline.zrevrange(name, 0, n - 1, withscores=True)
            return [self._items(*pair) for pair in zip(names, pipeline.execute(), strict=True)]

    def log_counts(self, key: str = keys.POPULAR) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """A whole list, as it is kept.

        Returns:
            The shop's ids, int64 [n], and log2 of their decayed counts as of 1970, float64 [n].

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        with answering():
            rows: Any = self._client.zrange(key, 0, -1, withscores=True)
        ids = np.array([int(item) for item, _ in rows], dtype=np.int64)
        return ids, np.array([score for _, score in rows], dtype=np.float64)

    def _items(self, name: str, rows: list[tuple[bytes, float]]) -> PopularItems:
        half_life_s = self._settings.half_life_s
        if name == keys.TRENDING:
            half_life_s = self._settings.trending_half_life_s
        scores = np.array([score for _, score in rows], dtype=np.float64)
        counts: NDArray[np.float64] = np.exp2(scores - self._now_ms() / (half_life_s * 1000))
        return PopularItems(np.array([int(item) for item, _ in rows], dtype=np.int64), counts)
