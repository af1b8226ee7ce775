"""The one way to Valkey (or Redis): a client on which every call has a time limit."""

from __future__ import annotations

import redis

from recsys.errors import Unavailable
from recsys.settings import ValkeySettings


def connect(settings: ValkeySettings) -> redis.Redis:
    """A client of the server that the settings name; nothing is sent until it is first used.

    Answers come as bytes. A call that times out is not repeated: the caller knows whether there is time.

    Args:
        settings: URL (`redis://`, or `rediss://` for TLS) and time limits in seconds.

    Returns:
        A client that may be shared between threads.
    """
    return redis.Redis.from_url(
        settings.url,
        socket_connect_timeout=settings.connect_timeout_s,
        socket_timeout=settings.timeout_s,
        decode_responses=False,
    )


def unavailable(error: Exception) -> Unavailable:
    """What callers see of a refused connection, a time-out or a server that cannot answer.

    Args:
        error: What the client raised; its text is kept, on one line.
    """
    cause = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return Unavailable("Valkey", cause, "Start it with `recsys up`, or set RECSYS_VALKEY__URL.")
