"""One promotion at a time on a cluster: a lock in Valkey that ends by itself should its holder be killed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import redis

from recsys.errors import Unavailable
from recsys.online import keys
from recsys.online.connection import answering

_LONGEST_S: Final = 900


@contextmanager
def alone(client: redis.Redis, longest_s: int = _LONGEST_S) -> Iterator[None]:
    """Hold the lock for the block.

    Args:
        client: Client of Valkey.
        longest_s: After so many seconds it is anybody's, whatever became of the holder.

    Raises:
        Unavailable: Another promotion is at work, or Valkey did not answer.
    """
    mine = uuid.uuid4().hex
    with answering():
        held = client.set(keys.PROMOTION, mine, nx=True, ex=longest_s)
    if not held:
        fix = f"Wait for it; should it have been killed, delete the key {keys.PROMOTION} in Valkey"
        raise Unavailable("promotion", "another one is at work", fix)
    try:
        yield
    finally:
        with answering():
            if client.get(keys.PROMOTION) == mine.encode():
                client.delete(keys.PROMOTION)
