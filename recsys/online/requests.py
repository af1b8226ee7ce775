"""Requests that a gateway keeps in Valkey, the newest few: the next release is warmed with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import redis

from recsys.errors import BadData
from recsys.online import keys
from recsys.online.connection import answering


@dataclass(frozen=True)
class Request:
    """A request for recommendations, as a gateway recorded it.

    Attributes:
        user_id: The shop's user; -1 for an anonymous visitor.
        device_type: A value of `schema.DEVICES`; -1 where it was not known.
        timestamp: Unix seconds.
    """

    user_id: int
    device_type: int
    timestamp: int

    def inputs(self) -> dict[str, np.ndarray]:
        """The ensemble's inputs, [1, 1] each."""
        return {
            "user_id": np.array([[self.user_id]], np.int64),
            "device_type": np.array([[self.device_type]], np.int32),
            "timestamp": np.array([[self.timestamp]], np.int64),
        }


def keep(client: redis.Redis, request: Request, most: int) -> None:
    """Add a request and forget the oldest; nothing of a person but the user's id is kept.

    Args:
        client: Client of Valkey.
        request: The request.
        most: How many are kept.

    Raises:
        Unavailable: Valkey did not answer.
    """
    with answering():
        pipeline = client.pipeline(transaction=False)
        pipeline.lpush(keys.REQUESTS, f"{request.user_id},{request.device_type},{request.timestamp}")
        pipeline.ltrim(keys.REQUESTS, 0, most - 1)
        pipeline.execute()


def recorded(client: redis.Redis, count: int) -> list[Request]:
    """The newest requests, each user's newest only.

    Args:
        client: Client of Valkey.
        count: At most so many.

    Raises:
        BadData: The list holds something else.
        Unavailable: Valkey did not answer.
    """
    with answering():
        found = client.lrange(keys.REQUESTS, 0, 8 * count)
    newest: dict[int, Request] = {}
    for each in found:
        request = _parse(each)
        newest.setdefault(request.user_id, request)
    return list(newest.values())[:count]


def forget(client: redis.Redis, user_id: int) -> None:
    """Remove a user's requests.

    Args:
        client: Client of Valkey.
        user_id: The user.

    Raises:
        Unavailable: Valkey did not answer.
    """
    with answering():
        for each in client.lrange(keys.REQUESTS, 0, -1):
            if each.startswith(f"{user_id},".encode()):
                client.lrem(keys.REQUESTS, 0, each)


def _parse(stored: bytes) -> Request:
    try:
        user_id, device_type, timestamp = map(int, stored.split(b","))
    except ValueError as error:
        raise BadData(keys.REQUESTS, f"holds {stored[:60]!r}", "Delete the key in Valkey") from error
    return Request(user_id, device_type, timestamp)
