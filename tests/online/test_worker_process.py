"""The worker's process: what it does at leisure holds up nobody, and fails as it would at once."""

from __future__ import annotations

import os
import threading

import pytest
import redis

from recsys.errors import Unavailable
from recsys.online import keys
from recsys.online.worker_process import at_leisure, forget_signs_of_life, is_alive


def test_work_at_leisure_has_the_least_priority_and_leaves_the_others_theirs() -> None:
    seen: list[int] = []
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    at_leisure(lambda: seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
    assert seen == [19]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


def test_what_it_raises_is_raised() -> None:
    def fail() -> None:
        raise Unavailable("feature store", "away", "Wait")

    with pytest.raises(Unavailable, match="feature store: away"):
        at_leisure(fail)


def test_a_worker_that_has_ended_does_not_stand_in_for_the_next(valkey: redis.Redis) -> None:
    valkey.set(keys.worker("ended"), "{}", ex=60)
    assert is_alive(valkey)
    forget_signs_of_life(valkey)
    assert not is_alive(valkey)
