from __future__ import annotations

import fakeredis
import pytest

from recsys.errors import Unavailable
from recsys.online import keys
from recsys.release.promotion_lock import alone


def test_a_second_promotion_is_refused_until_the_first_has_ended() -> None:
    client = fakeredis.FakeRedis()
    with alone(client), pytest.raises(Unavailable, match="another one is at work"), alone(client):
        pytest.fail("both at once")
    with alone(client):
        assert 0 < client.ttl(keys.PROMOTION) <= 900
    assert not client.exists(keys.PROMOTION)


def test_a_failure_gives_the_lock_back() -> None:
    client = fakeredis.FakeRedis()
    with pytest.raises(ZeroDivisionError), alone(client):
        raise ZeroDivisionError
    assert not client.exists(keys.PROMOTION)


def test_a_lock_that_ran_out_is_not_taken_from_its_next_holder() -> None:
    client = fakeredis.FakeRedis()
    with alone(client):
        client.set(keys.PROMOTION, "somebody else's")
    assert client.get(keys.PROMOTION) == b"somebody else's"
