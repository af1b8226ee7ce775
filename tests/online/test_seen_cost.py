"""The command that measures seen filters: within the setting, and nothing is left behind."""

from __future__ import annotations

import redis

from recsys.online.seen_cost import measure, table
from recsys.settings import SeenSettings


def test_filters_are_measured_and_removed(valkey: redis.Redis) -> None:
    settings = SeenSettings()
    few, many = measure(valkey, settings, ("bitmap",), (1, 300), users=2, unseen=2_000)
    assert (few.form, few.clicked, many.clicked) == ("bitmap", 1, 300)
    assert 0 < few.memory_bytes < many.memory_bytes
    assert many.false_positives <= 1.2 * settings.error_rate
    assert not valkey.keys("seen*")
    assert table([few, many]).count("\n") == 3
