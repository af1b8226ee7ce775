"""Features and newest clicks of a batch of users, in one round trip."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from factories.feast_values import put_user

from recsys.errors import Unavailable
from recsys.online import keys
from recsys.online.recents import NEVER
from recsys.online.user_state import UserStateReader
from recsys.settings import RecentsSettings

NOW_MS = 1_754_000_000_000
HOUR_MS = 3_600_000


def test_both_halves_of_each_user(valkey: redis.Redis) -> None:
    put_user(valkey, 1, age=30.0, gender=1, top_category=5)
    valkey.zadd(keys.recent(1), {"7": NOW_MS - HOUR_MS, "-9": NOW_MS, "8": NOW_MS - 3 * HOUR_MS})
    valkey.zadd(keys.recent(2), {str(2**63 - 1): NOW_MS - HOUR_MS})
    reader = UserStateReader(valkey, RecentsSettings(kept_s=2 * 3600))
    found = reader.read([2, 1, 3], [NOW_MS] * 3)
    assert found.features.found.tolist() == [False, True, False]
    assert found.features.top_category.tolist() == [-1, 5, -1]
    assert found.recents.ids[:, :3].tolist() == [[2**63 - 1, -1, -1], [-9, 7, -1], [-1, -1, -1]]
    assert found.recents.at_ms[1, :3].tolist() == [NOW_MS, NOW_MS - HOUR_MS, NEVER]


def test_one_round_trip(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, pipeline = [], valkey.pipeline

    def counted(**options):
        made = pipeline(**options)
        execute = made.execute
        made.execute = lambda **how: sent.append(1) or execute(**how)
        return made

    monkeypatch.setattr(valkey, "pipeline", counted)
    UserStateReader(valkey).read(np.arange(64), np.full(64, NOW_MS))
    assert sent == [1]


def test_a_list_that_cannot_be_read_is_empty_and_counted(valkey: redis.Redis) -> None:
    valkey.set(keys.recent(1), "no sorted set")
    valkey.zadd(keys.recent(2), {"no number": NOW_MS})
    valkey.zadd(keys.recent(3), {"4": NOW_MS})
    valkey.zadd(keys.recent(5), {str(2**70): NOW_MS, "4": NOW_MS})
    reader = UserStateReader(valkey)
    found = reader.read([1, 2, 3, 5], [NOW_MS] * 4)
    assert (found.recents.at_ms != NEVER).sum(axis=1).tolist() == [0, 0, 1, 0]
    assert reader.malformed == 3


def test_no_answer_is_unavailable() -> None:
    nobody = redis.Redis(port=1, socket_timeout=0.2, socket_connect_timeout=0.2)
    with pytest.raises(Unavailable):
        UserStateReader(nobody).read([1], [NOW_MS])
