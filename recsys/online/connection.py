"""Clients of Valkey, made in one place: each call has a time limit and a failed one is not tried for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
import redis.asyncio

from recsys.errors import Unavailable
from recsys.settings import ValkeySettings


def connect(settings: ValkeySettings, *, timeout_s: float | None = None) -> redis.Redis:
    """A blocking client; it connects at its first call.

    Args:
        settings: Where Valkey is and how long it may take.
        timeout_s: Time limit of one answer, where the settings' does not fit (a blocking read).
    """
    return redis.Redis.from_url(
        settings.url,
        socket_connect_timeout=settings.connect_timeout_s,
        socket_timeout=timeout_s or settings.timeout_s,
        socket_keepalive=True,
        health_check_interval=0,
    )


def connect_async(
    settings: ValkeySettings, *, timeout_s: float | None = None, connections: int = 64
) -> redis.asyncio.Redis:
    """An asyncio client over a bounded pool; a caller waits for a free connection as long as for an answer.

    Args:
        settings: Where Valkey is and how long it may take.
        timeout_s: Time limit of one answer, where the settings' does not fit.
        connections: Size of the pool.
    """
    limit = timeout_s or settings.timeout_s
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        settings.url,
        max_connections=connections,
        timeout=limit,
        socket_connect_timeout=settings.connect_timeout_s,
        socket_timeout=limit,
        socket_keepalive=True,
    )
    return redis.asyncio.Redis(connection_pool=pool)


@contextmanager
def unavailable(thing: str = "Valkey") -> Iterator[None]:
    """Turn whatever the client raises when Valkey does not answer into `Unavailable`.

    Args:
        thing: What was asked, for the error.

    Raises:
        Unavailable: The block raised an error of the client or of its socket.
    """
    try:
        yield
    except (redis.RedisError, OSError) as error:
        cause = str(error) or type(error).__name__
        raise Unavailable(
            thing, cause, "Check that Valkey runs and RECSYS_VALKEY__URL points to it"
        ) from error


class Script:
    """A Lua script that is sent whole once a pipeline and by its hash after that.

    So a server that restarted and lost its script cache needs no second try, which a call with an effect
    could not have.

    Args:
        text: The script's source.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        # The protocol names scripts by SHA-1; nothing here depends on its strength.
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def queue(self, pipeline: Any, keys: Sequence[str], arguments: Sequence[Any]) -> None:
        """Append one call to a pipeline.

        Args:
            pipeline: A pipeline of either client, not executed yet.
            keys: KEYS of the script.
            arguments: ARGV of the script.
        """
        sent = any(command[0][:2] == ("EVAL", self.text) for command in pipeline.command_stack)
        name, source = ("EVALSHA", self.sha) if sent else ("EVAL", self.text)
        pipeline.execute_command(name, source, len(keys), *keys, *arguments)
