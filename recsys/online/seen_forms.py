"""The two forms that a seen filter has in Valkey, behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import redis
from numpy.typing import NDArray

from recsys.online import bloom, keys
from recsys.online.connection import Script

_ITEMS_PER_CALL = 256  # bounds how long one script holds the server
_FIRST_LAYER_LEAST = 32
_FIRST_LAYER_SHARE = 16  # a bitmap starts with a sixteenth of the capacity: most users click little

Group = tuple[int, int, list[tuple[int, int]]]
"""A user, a generation, and the items clicked in it with their moments (ms)."""


class SeenForm(Protocol):
    """How filters are named, written and read."""

    def key(self, user_id: int, generation: int) -> str:
        """Key of one user's filter of one generation."""

    def add(self, client: redis.Redis, groups: list[Group], rotation_ms: int) -> None:
        """Add clicks that are younger than their user's tombstone; repeating it changes nothing."""

    def contains(
        self,
        client: redis.Redis,
        users: NDArray[np.int64],
        generations: Sequence[int],
        items: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Whether any of the generations holds each item; users [B], items [B, R], bool [B, R]."""


def has_bloom_commands(client: redis.Redis) -> bool:
    """Whether the server has the Bloom module's commands.

    Args:
        client: Client of the server.
    """
    try:
        client.execute_command("BF.EXISTS", "seen:probe", 0)
    except redis.ResponseError as error:
        if "unknown command" in str(error).lower():
            return False
        raise
    return True


class NativeForm:
    """The BF.* commands of Redis Stack, Redis 8 and valkey-bloom."""

    def __init__(self, capacity: int, error_rate: float) -> None:
        # valkey-bloom, unlike RedisBloom, gives the first layer the whole rate and the further ones as much
        # again in sum: halve it for both.
        self._options = ("CAPACITY", capacity, "ERROR", error_rate / 2, "EXPANSION", bloom.GROWTH)

    def key(self, user_id: int, generation: int) -> str:
        """Key of one user's filter of one generation."""
        return keys.seen_native(user_id, generation)

    def add(self, client: redis.Redis, groups: list[Group], rotation_ms: int) -> None:
        """Add clicks in one watched transaction."""
        tombstones = [keys.forgotten(user) for user, _, _ in groups]

        def write(pipeline: redis.client.Pipeline) -> None:
            forgotten = [int(moment or -1) for moment in pipeline.mget(tombstones)]
            pipeline.multi()
            for (user, generation, clicks), limit in zip(groups, forgotten, strict=True):
                key, items = self.key(user, generation), [item for item, moment in clicks if moment > limit]
                if items:
                    pipeline.execute_command("BF.INSERT", key, *self._options, "ITEMS", *items)
                    pipeline.pexpireat(key, (generation + 2) * rotation_ms)

        # Watched: a user who asks to be forgotten between the read and the write is not written.
        client.transaction(write, *set(tombstones))

    def contains(
        self,
        client: redis.Redis,
        users: NDArray[np.int64],
        generations: Sequence[int],
        items: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Ask all users' filters in one round trip."""
        pipeline = client.pipeline(transaction=False)
        for user, row in zip(users.tolist(), items.tolist(), strict=True):
            texts = [b"%d" % item for item in row]
            for generation in generations:
                pipeline.execute_command("BF.MEXISTS", self.key(user, generation), *texts)
        answers = np.array(pipeline.execute(), dtype=np.bool_)
        held: NDArray[np.bool_] = answers.reshape(len(users), len(generations), -1).any(axis=1)
        return held


_ADD = Script(
    """
-- KEYS: a filter, the user's tombstone. ARGV: expiry (ms since 1970), capacity and hashes of a new
-- filter's first layer, growth, most layers; then for each item its moment (ms) and three 32-bit hashes.
-- The layout of the string is described in recsys/online/bloom.py.
local forgotten = tonumber(redis.call('GET', KEYS[2]) or -1)
local growth, most = tonumber(ARGV[4]), tonumber(ARGV[5])
local blob = redis.call('GET', KEYS[1])
local count, capacity, hashes = 0, tonumber(ARGV[2]), tonumber(ARGV[3])
if blob then
  count, capacity, hashes = struct.unpack('<I4I4I4', blob)
end
local starts, bits, start = {}, {}, 12
for j = 1, most do
  local size = math.ceil(capacity * growth ^ (j - 1) * (hashes + j - 1) * 1443 / 8000)
  starts[j], bits[j] = start, 8 * size
  start = start + size
end
starts[most + 1] = start
local last = 1
while blob and last < most and #blob > starts[last + 1] do last = last + 1 end

local function position(h, number, size)
  return (h[1] + number * h[2] + number * (number - 1) / 2 * h[3]) % size
end

local function held(h)
  if not blob then return false end
  for j = 1, last do
    local all = true
    for number = 0, hashes + j - 2 do
      local bit = position(h, number, bits[j])
      if redis.call('GETBIT', KEYS[1], starts[j] * 8 + bit) == 0 then all = false break end
    end
    if all then return true end
  end
  return false
end

local function reach(layer)
  -- Writing the last bit of a layer gives the string its full length, filled with zeros.
  redis.call('SETBIT', KEYS[1], starts[layer + 1] * 8 - 1, 0)
  blob = true
end

for a = 6, #ARGV, 4 do
  local h = { tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]) }
  if tonumber(ARGV[a]) > forgotten and not held(h) then
    if not blob then reach(1) end
    if count >= capacity * growth ^ (last - 1) and last < most then
      last, count = last + 1, 0
      reach(last)
    end
    for number = 0, hashes + last - 2 do
      redis.call('SETBIT', KEYS[1], starts[last] * 8 + position(h, number, bits[last]), 1)
    end
    count = count + 1
  end
end
if blob then
  redis.call('SETRANGE', KEYS[1], 0, struct.pack('<I4I4I4', count, capacity, hashes))
  redis.call('PEXPIREAT', KEYS[1], ARGV[1])
end
return count
"""
)


class BitmapForm:
    """The byte string of `recsys.online.bloom`, for servers without the Bloom module."""

    def __init__(self, capacity: int, error_rate: float) -> None:
        first_capacity = max(_FIRST_LAYER_LEAST, capacity // _FIRST_LAYER_SHARE)
        self._layout = (first_capacity, bloom.hashes_for(error_rate), bloom.GROWTH, bloom.MAX_LAYERS)

    def key(self, user_id: int, generation: int) -> str:
        """Key of one user's filter of one generation."""
        return keys.seen(user_id, generation)

    def add(self, client: redis.Redis, groups: list[Group], rotation_ms: int) -> None:
        """Add clicks by one script a filter, all in one round trip."""
        pipeline = client.pipeline(transaction=False)
        for user, generation, clicks in groups:
            items, moments = np.array(clicks, dtype=np.int64).T
            rows = np.stack((moments, *bloom.item_hashes(items)), axis=1).tolist()
            names = (self.key(user, generation), keys.forgotten(user))
            for start in range(0, len(rows), _ITEMS_PER_CALL):
                part = [value for row in rows[start : start + _ITEMS_PER_CALL] for value in row]
                _ADD.queue(pipeline, names, ((generation + 2) * rotation_ms, *self._layout, *part))
        pipeline.execute()

    def contains(
        self,
        client: redis.Redis,
        users: NDArray[np.int64],
        generations: Sequence[int],
        items: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Read all users' filters in one round trip and search them here."""
        blobs = client.mget([self.key(user, number) for user in users.tolist() for number in generations])
        return bloom.contains(blobs, np.repeat(np.arange(len(users)), len(generations)), items)
