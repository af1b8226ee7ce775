from __future__ import annotations

from pathlib import Path

import fakeredis
import pandas as pd
import pytest

from recsys.errors import BadData
from recsys.online import clicks, keys


def test_clicks_of_some_users_since_a_moment_page_by_page() -> None:
    client = fakeredis.FakeRedis()
    for at in range(5_000):
        fields = {"user_id": at % 3, "item_id": at, "at_ms": at, "event_type": "view" if at % 2 else "click"}
        client.xadd(keys.EVENTS, fields, id=f"{at + 1}-0")
    found = clicks.since(client, 101, {0, 1})
    assert set(found) == {0, 1}
    for user, done in found.items():
        assert done == [(at, at) for at in range(100, 5_000) if at % 3 == user and at % 2 == 0]


def test_without_a_log_there_are_no_clicks() -> None:
    assert clicks.since(fakeredis.FakeRedis(), 0, {1}) == {}


def test_files_of_interactions_tell_the_same(tmp_path: Path) -> None:
    path = tmp_path / "day_12.parquet"
    day = pd.DataFrame(
        {
            "user_id": [1, 1, 2, 3, 1, 1],
            "item_id": [10, 11, 12, 13, 14, 15],
            "timestamp": [200, 100, 99, 100, 101, 101],
            "device_type": 0,
            "event_type": ["purchase", "click", "click", "click", "view", "click"],
            "click": [1, 1, 1, 1, 1, 0],
        }
    )
    day.to_parquet(path)
    found = clicks.of_files([path, path], 100_000, {1, 2})
    assert found == {1: [(100_999, 11)] * 2 + [(200_999, 10)] * 2}
    day.drop(columns=["event_type", "click"]).to_parquet(path)
    assert len(clicks.of_files([path], 100_000, {1, 2})[1]) == 4
    day.drop(columns="item_id").to_parquet(path)
    with pytest.raises(BadData, match="item_id"):
        clicks.of_files([path], 0, {1})
