"""What one event changes in Valkey, exactly once, by one Lua script.

The script records the event's id in the same step as its effects, so an event that is delivered again, or
sent again by a client, changes nothing. Ids are kept as 64-bit hashes in many small sets, which Valkey
stores in eight bytes each, for one to two periods of `dedupe_s`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import redis

from recsys.online import keys
from recsys.online.clock import Clock, wall_ms
from recsys.online.connection import Script, answering
from recsys.online.events import Event
from recsys.online.popularity import COUNT_LUA
from recsys.schema import RECENT_CLICKS, TOP_CATEGORY_WINDOW_S
from recsys.settings import EventSettings, PopularitySettings, RecentsSettings

_BUCKETS: Final = 1 << 14  # up to eight million ids a period stay in sets of the compact kind


WINDOW_KEPT_S: Final = 3 * TOP_CATEGORY_WINDOW_S
"""Clicks are kept this long before the newest one. One window decides the top category now; with three,
what held
at any moment of the window before the newest click is exact too, when events arrive in batches."""


class Outcome(Enum):
    """What became of an event."""

    APPLIED = 1
    REPEATED = 2
    FORGOTTEN = 3


@dataclass(frozen=True)
class Click:
    """An event with the categories of its item."""

    event: Event
    category_l1: int
    category_l2: int


_APPLY = Script(
    COUNT_LUA
    + """
-- KEYS: ids applied last period and this one, tombstone, recent items, window, then four lists of popular
-- items, the last one trending. ARGV: hash of the id, moment (ms), item, window member, window (s),
-- recent (ms), most recent items, half-life and trending half-life (ms), size of a list, seconds to keep
-- ids, the window and the recent items.
local id, at_ms, item, member = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local at_s = math.floor(at_ms / 1000)
if at_ms <= tonumber(redis.call('GET', KEYS[3]) or -1) then return 3 end
if redis.call('SISMEMBER', KEYS[1], id) == 1 or redis.call('SADD', KEYS[2], id) == 0 then return 2 end
redis.call('EXPIRE', KEYS[2], ARGV[11])

local function newest(key) return tonumber(redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]) end

redis.call('ZADD', KEYS[4], 'GT', at_ms, item)
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', newest(KEYS[4]) - ARGV[6])
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -ARGV[7] - 1)
redis.call('EXPIRE', KEYS[4], ARGV[13])

redis.call('ZADD', KEYS[5], at_s, member)
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', '(' .. newest(KEYS[5]) - ARGV[5])
redis.call('EXPIRE', KEYS[5], ARGV[12])

for list = 6, 8 do count(KEYS[list], item, at_ms, ARGV[8], ARGV[10]) end
count(KEYS[9], item, at_ms, ARGV[9], ARGV[10])
return 1
"""
)


class Effects:
    """Applies events to recents, popularity and the window that top categories are computed from.

    Args:
        client: Client of Valkey with time limits.
        events: How long ids are remembered.
        popularity: Half-lives and sizes.
        now_ms: Clock, milliseconds since 1970.
        recents: How long recent items are kept.
    """

    def __init__(
        self,
        client: redis.Redis,
        events: EventSettings,
        popularity: PopularitySettings,
        now_ms: Clock = wall_ms,
        recents: RecentsSettings | None = None,
    ) -> None:
        self._client = client
        self._events = events
        self._popularity = popularity
        self._now_ms = now_ms
        self._recent_s = (recents or RecentsSettings()).kept_s

    def apply(self, clicks: Sequence[Click]) -> list[Outcome]:
        """Apply events in their order, in one round trip.

        Args:
            clicks: Events with their items' categories.

        Returns:
            What became of each.

        Raises:
            Unavailable: Valkey did not answer in time; what of it was applied will not be applied again.
        """
        if not clicks:
            return []
        period = self._now_ms() // (self._events.dedupe_s * 1000)
        with answering():
            pipeline = self._client.pipeline(transaction=False)
            for click in clicks:
                _APPLY.queue(pipeline, self._keys(click, period), self._arguments(click))
            return [Outcome(code) for code in pipeline.execute()]

    def _keys(self, click: Click, period: int) -> list[str]:
        event, bucket = click.event, click.event.digest[1] % _BUCKETS
        return [
            keys.applied(period - 1, bucket),
            keys.applied(period, bucket),
            keys.forgotten(event.user_id),
            keys.recent(event.user_id),
            keys.window(event.user_id),
            keys.POPULAR,
            keys.popular_l1(click.category_l1),
            keys.popular_l2(click.category_l2),
            keys.TRENDING,
        ]

    def _arguments(self, click: Click) -> list[str | int]:
        event, settings = click.event, self._popularity
        return [
            event.digest[0],
            event.at_ms,
            event.item_id,
            f"{click.category_l1}:{event.digest[0]}",
            WINDOW_KEPT_S,
            self._recent_s * 1000,
            RECENT_CLICKS,
            settings.half_life_s * 1000,
            settings.trending_half_life_s * 1000,
            settings.size,
            2 * self._events.dedupe_s,
            WINDOW_KEPT_S,
            self._recent_s,
        ]
