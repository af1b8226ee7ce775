"""The event log as a Valkey stream with one consumer group."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import redis

from recsys.errors import Unavailable
from recsys.online import keys
from recsys.online.connection import Script, answering
from recsys.online.event_log import Delivery
from recsys.online.events import Event
from recsys.settings import EventSettings

GROUP: Final = "workers"
_DEAD_LENGTH: Final = 100_000
_REASON_LENGTH: Final = 500

_TRIM = """
-- Drops entries that every group has acknowledged; what is pending or not delivered yet stays, whatever
-- the length.
local function trim(stream)
  local keep
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = {}
    for i = 1, #group, 2 do info[group[i]] = group[i + 1] end
    local first = redis.call('XPENDING', stream, info['name'])[2]
    if not first then
      local after = redis.call('XRANGE', stream, '(' .. info['last-delivered-id'], '+', 'COUNT', 1)[1]
      first = after and after[1]
      if not first then
        local last = redis.call('XINFO', 'STREAM', stream)
        for i = 1, #last, 2 do
          if last[i] == 'last-generated-id' then first = last[i + 1] end
        end
      end
    end
    if not keep or redis.call('XRANGE', stream, first, keep, 'COUNT', 1)[1] then
      keep = first
    end
  end
  if keep then redis.call('XTRIM', stream, 'MINID', keep) end
end
"""

_APPEND = Script(
    _TRIM
    + """
-- KEYS[1]: the stream. ARGV: most entries, fields of one event, then the events' names and values in turn.
-- Writes all events or, where they would not fit even after trimming, none.
local width, stream = tonumber(ARGV[2]), KEYS[1]
local count = (#ARGV - 2) / (2 * width)
local function fits() return redis.call('XLEN', stream) + count <= tonumber(ARGV[1]) end
if not fits() and redis.call('EXISTS', stream) == 1 then trim(stream) end
if not fits() then return false end
local ids = {}
for i = 0, count - 1 do
  local start = 3 + i * 2 * width
  ids[i + 1] = redis.call('XADD', stream, '*', unpack(ARGV, start, start + 2 * width - 1))
end
return ids
"""
)

_TIDY = Script(_TRIM + "\nif redis.call('EXISTS', KEYS[1]) == 1 then trim(KEYS[1]) end")


class StreamLog:
    """Events in a stream of bounded length.

    When the stream is full, acknowledged entries make room; entries that no worker has applied yet are never
    dropped, so a full stream of those refuses new events until a worker catches up.

    Args:
        client: Client of Valkey; for `receive` its time limit must be longer than the wait.
        settings: Length of the stream.
        consumer: This worker's name in the consumer group.
        claim_after_s: Entries that another worker has held this long without acknowledging are taken over.
        stream: The stream's key.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        client: redis.Redis,
        settings: EventSettings,
        consumer: str = "worker",
        claim_after_s: float = 5.0,
        *,
        stream: str = keys.EVENTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._settings = settings
        self._consumer = consumer
        self._claim_after_s = claim_after_s
        self._stream = stream
        self._clock = clock
        self._own_next: str | None = "0"  # where to go on among this worker's unsettled entries
        self._claim_at = clock()
        self._claim_next = "0-0"

    def append(self, events: Sequence[Event]) -> list[str]:
        """Write events, all or none; see `EventLog.append`."""
        if not events:
            return []
        rows = [event.fields() for event in events]
        flat = [part for row in rows for pair in row.items() for part in pair]
        with answering():
            ids = _APPEND.call(self._client, [self._stream], [self._settings.max_length, len(rows[0]), *flat])
        if ids is None:
            raise Unavailable(
                "event log", f"full: {self._settings.max_length} events wait", "Start a behaviour worker"
            )
        return [each.decode() for each in ids]

    def receive(self, limit: int, wait_s: float) -> list[Delivery]:
        """Take entries; see `EventLog.receive`."""
        with answering():
            try:
                return self._take(limit, wait_s)
            except redis.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                # The stream is new, or Valkey came back without it.
                self._create_group()
                return self._take(limit, wait_s)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Settle entries; see `EventLog.acknowledge`."""
        if deliveries:
            with answering():
                self._client.xack(self._stream, GROUP, *(each.log_id for each in deliveries))

    def set_aside(self, delivery: Delivery, reason: str) -> None:
        """Move an entry to the stream of dead events; see `EventLog.set_aside`."""
        fields: dict[Any, Any] = {
            **delivery.fields,
            "log_id": delivery.log_id,
            "attempts": str(delivery.attempts),
            "reason": reason[:_REASON_LENGTH],
        }
        with answering():
            pipeline = self._client.pipeline(transaction=True)
            pipeline.xadd(keys.DEAD_EVENTS, fields, maxlen=_DEAD_LENGTH, approximate=True)
            pipeline.xack(self._stream, GROUP, delivery.log_id)
            pipeline.execute()

    def retry_unsettled(self) -> None:
        """Start again with this worker's unsettled entries."""
        self._own_next = "0"

    def tidy(self) -> None:
        """Drop what every group has acknowledged."""
        with answering():
            _TIDY.call(self._client, [self._stream], [])

    def _take(self, limit: int, wait_s: float) -> list[Delivery]:
        return self._own(limit) or self._claimed(limit) or self._new(limit, wait_s)

    def _own(self, limit: int) -> list[Delivery]:
        while self._own_next is not None:
            found = self._read(self._own_next, limit)
            self._own_next = found[-1][0] if found else None
            if found:
                self._own_next = found[-1][0]
                alive = self._deliveries(found)
                if alive:
                    return alive
        return []

    def _claimed(self, limit: int) -> list[Delivery]:
        if self._clock() < self._claim_at:
            return []
        answer = self._client.xautoclaim(
            self._stream,
            GROUP,
            self._consumer,
            min_idle_time=int(self._claim_after_s * 1000),
            start_id=self._claim_next,
            count=limit,
        )
        self._claim_next = _text(answer[0])
        if self._claim_next == "0-0":
            self._claim_at = self._clock() + self._claim_after_s / 2
        return self._deliveries([(_text(name), fields) for name, fields in answer[1]])

    def _new(self, limit: int, wait_s: float) -> list[Delivery]:
        found = self._read(">", limit, block_ms=max(1, int(wait_s * 1000)))
        return [Delivery(name, _texts(fields)) for name, fields in found]

    def _read(self, start: str, limit: int, block_ms: int | None = None) -> list[tuple[str, Any]]:
        answer = self._client.xreadgroup(
            GROUP, self._consumer, {self._stream: start}, count=limit, block=block_ms
        )
        return [(_text(name), fields) for name, fields in answer[0][1]] if answer else []

    def _deliveries(self, found: list[tuple[str, Any]]) -> list[Delivery]:
        """Entries with their number of attempts; what was deleted from the stream meanwhile is settled."""
        if not found:
            return []
        gone = [name for name, fields in found if not fields]
        if gone:
            self._client.xack(self._stream, GROUP, *gone)
        pipeline = self._client.pipeline(transaction=False)
        alive = [(name, fields) for name, fields in found if fields]
        for name, _ in alive:
            pipeline.xpending_range(self._stream, GROUP, name, name, 1)
        return [
            Delivery(name, _texts(fields), pending[0]["times_delivered"] if pending else 1)
            for (name, fields), pending in zip(alive, pipeline.execute(), strict=True)
        ]

    def _create_group(self) -> None:
        try:
            self._client.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _texts(fields: Any) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in fields.items()}
