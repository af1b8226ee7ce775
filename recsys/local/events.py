"""Puts an event on the stream that the behaviour worker reads, where no gateway runs."""

from __future__ import annotations

from collections.abc import Mapping

import redis

from recsys.errors import Unavailable

STREAM = "events"
_MAX_LENGTH = 1_000_000
_TIMEOUT_S = 2.0


def append(url: str, fields: Mapping[str, int | str]) -> str:
    """Append one event.

    Args:
        url: Valkey's address.
        fields: user_id, item_id, timestamp (unix seconds), device_type, event_type.

    Returns:
        The event's id on the stream.

    Raises:
        Unavailable: Valkey did not answer.
    """
    client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
    try:
        identity = client.xadd(STREAM, dict(fields), maxlen=_MAX_LENGTH, approximate=True)
    except redis.RedisError as error:
        raise Unavailable("Valkey", str(error), "Start it with `recsys up`") from error
    finally:
        client.close()
    return bytes(identity).decode()
