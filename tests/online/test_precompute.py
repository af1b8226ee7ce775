from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recsys.errors import BadData, Unavailable
from recsys.features.feast_layout import entity_key
from recsys.online import keys
from recsys.online.batch_answer import BatchAnswer
from recsys.online.precompute import Precompute, known_users
from recsys.serving.client import Recommendation
from recsys.settings import GatewaySettings, ServingSettings, Settings


class CountingTriton:
    """Recommends each user the items u, u + 1, u + 2; user 3's answer comes from a fallback."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def recommend(self, user_ids: Sequence[int], top: int) -> list[Recommendation]:
        self.batches.append(len(user_ids))
        return [Recommendation([u, u + 1, u + 2][:top], [3.0, 2.0, 1.0][:top], u == 3, 4) for u in user_ids]


@given(hnp.arrays(np.int64, st.integers(0, 50)), st.integers(0, 2**32 - 1), st.data())
def test_an_answer_survives_storage(ids: np.ndarray, release: int, data: st.DataObject) -> None:
    scores = data.draw(hnp.arrays(np.float32, len(ids)))
    found = BatchAnswer.from_bytes(BatchAnswer(release, ids, scores).to_bytes())
    assert found.release == release
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_array_equal(found.scores, scores)


@given(st.binary(max_size=40))
def test_anything_else_is_refused(stored: bytes) -> None:
    with pytest.raises(BadData):
        BatchAnswer.from_bytes(stored)


def test_known_users_are_those_of_the_feature_store(valkey: redis.Redis) -> None:
    users = [-(2**63), -7, 0, 42, 2**63 - 1]
    for user in users:
        valkey.hset(entity_key("user_id", user), "field", 1)
    valkey.hset(entity_key("item_id", 5), "field", 1)
    valkey.hset(entity_key("user_id", 6, "another project"), "field", 1)
    assert sorted(set(known_users(valkey))) == users


SETTINGS = Settings(
    serving=ServingSettings(max_batch_size=4),
    gateway=GatewaySettings(precompute_items=2, precompute_ttl_s=100),
)


def test_answers_are_written_in_batches_with_a_life(valkey: redis.Redis) -> None:
    triton, told = CountingTriton(), []
    job = Precompute([triton], valkey, SETTINGS)  # type: ignore[list-item]
    found = job.run(range(10), lambda outcome: told.append(outcome.done))
    assert (found.users, found.written, found.kept) == (10, 9, 0)
    assert found.degraded == 1  # what is a fallback already is not worth keeping
    assert triton.batches == [4, 4, 2]
    assert told == [4, 8, 10]
    stored = BatchAnswer.from_bytes(valkey.get(keys.precomputed(7)))
    assert (stored.release, stored.ids.tolist(), stored.scores.tolist()) == (4, [7, 8], [3.0, 2.0])
    assert 0 < valkey.ttl(keys.precomputed(7)) <= 100
    assert not valkey.exists(keys.precomputed(3))


def test_a_run_that_was_broken_off_goes_on_where_it_ended(valkey: redis.Redis) -> None:
    def breaks_off() -> Iterator[int]:
        yield from range(20, 28)
        raise Unavailable("Valkey", "went away", "Wait")

    with pytest.raises(Unavailable):
        Precompute([CountingTriton()], valkey, SETTINGS, 4).run(breaks_off())  # type: ignore[list-item]
    valkey.expire(keys.precomputed(20), 40)  # less than half of its life is left
    old = BatchAnswer(3, np.array([1]), np.array([1.0]))
    valkey.set(keys.precomputed(21), old.to_bytes(), ex=100)
    valkey.set(keys.precomputed(22), b"nonsense", ex=100)
    triton = CountingTriton()
    found = Precompute([triton], valkey, SETTINGS, 4).run(range(20, 32))  # type: ignore[list-item]
    assert (found.users, found.written, found.kept) == (12, 7, 5)
    assert triton.batches == [3, 4]
    again = Precompute([triton], valkey, SETTINGS).run(range(20, 32))  # type: ignore[list-item]
    assert (again.written, again.kept) == (12, 0)


class SlowTriton:
    """Counts how many ask at once."""

    def __init__(self, gauge: dict[str, int]) -> None:
        self.gauge, self.lock = gauge, threading.Lock()

    def recommend(self, user_ids: Sequence[int], top: int) -> list[Recommendation]:
        with self.lock:
            assert self.gauge["asking"] >= 0
            self.gauge["asking"] += 1
            self.gauge["most"] = max(self.gauge["most"], self.gauge["asking"])
        time.sleep(0.02)
        with self.lock:
            self.gauge["asking"] -= 1
        return [Recommendation([user], [1.0], 0, 4) for user in user_ids]


def test_no_more_batches_are_under_way_than_there_are_clients(valkey: redis.Redis) -> None:
    gauge = {"asking": 0, "most": 0}
    slow = SlowTriton(gauge)
    read: list[int] = []

    def users() -> Iterator[int]:
        for user in range(100, 200):
            read.append(user)
            yield user

    job = Precompute([slow] * 3, valkey, SETTINGS)  # type: ignore[list-item]
    ahead: list[int] = []
    found = job.run(users(), lambda outcome: ahead.append(len(read) - outcome.done))
    assert found.written == 100
    assert 2 <= gauge["most"] <= 3
    assert max(ahead) <= 3 * 4


def test_an_ensemble_that_fails_ends_the_run_and_what_was_written_stays(valkey: redis.Redis) -> None:
    class Failing(CountingTriton):
        def recommend(self, user_ids: Sequence[int], top: int) -> list[Recommendation]:
            if len(self.batches) == 2:
                raise Unavailable("Triton", "down", "Wait")
            return super().recommend(user_ids, top)

    with pytest.raises(Unavailable, match="Triton"):
        Precompute([Failing()], valkey, SETTINGS).run(range(300, 320))  # type: ignore[list-item]
    assert valkey.exists(*(keys.precomputed(user) for user in range(300, 320))) == 8
