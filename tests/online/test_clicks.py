from __future__ import annotations

import fakeredis

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
