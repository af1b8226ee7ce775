from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recsys.errors import BadData
from recsys.features.feast_layout import entity_key
from recsys.online import keys
from recsys.online.batch_answer import BatchAnswer
from recsys.online.precompute import known_users, precompute
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


def test_answers_are_written_in_batches_with_a_life(valkey: redis.Redis) -> None:
    triton, told = CountingTriton(), []
    settings = Settings(
        serving=ServingSettings(max_batch_size=4),
        gateway=GatewaySettings(precompute_items=2, precompute_ttl_s=100),
    )
    written = precompute(range(10), triton, valkey, settings, told.append)  # type: ignore[arg-type]
    assert written == 9  # what is a fallback already is not worth keeping
    assert triton.batches == [4, 4, 2]
    assert told == [4, 8, 10]
    stored = BatchAnswer.from_bytes(valkey.get(keys.precomputed(7)))
    assert (stored.release, stored.ids.tolist(), stored.scores.tolist()) == (4, [7, 8], [3.0, 2.0])
    assert 0 < valkey.ttl(keys.precomputed(7)) <= 100
    assert not valkey.exists(keys.precomputed(3))
