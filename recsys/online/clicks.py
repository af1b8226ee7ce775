"""What users did, out of the log of events: for comparing releases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Final

import redis

from recsys.online import keys
from recsys.online.connection import answering

_PAGE: Final = 2_000
_COUNTED: Final = frozenset({b"click", b"cart", b"purchase"})


def since(client: redis.Redis, from_ms: int, users: Collection[int]) -> dict[int, list[tuple[int, int]]]:
    """Clicks, and what follows from a click, since some moment, as far as the stream still holds them.

    Args:
        client: Client of Valkey.
        from_ms: Milliseconds since 1970: when the gateway took the first that is of interest.
        users: Whose.

    Returns:
        For each of the users the (milliseconds since 1970, item) in the order in which they came.

    Raises:
        Unavailable: Valkey did not answer.
    """
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    after = str(max(0, from_ms))
    while True:
        with answering():
            page: Any = client.xrange(keys.EVENTS, min=after, count=_PAGE)
        for name, fields in page:
            user = int(fields[b"user_id"])
            if user in users and fields.get(b"event_type", b"click") in _COUNTED:
                at_ms = int(fields.get(b"at_ms") or name.split(b"-")[0])
                found[user].append((at_ms, int(fields[b"item_id"])))
        if len(page) < _PAGE:
            return dict(found)
        after = f"({page[-1][0].decode()}"
