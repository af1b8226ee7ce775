"""What was shown to the users of a trial, in a stream of bounded length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from recsys.online import keys
from recsys.online.connection import answering

_PAGE: Final = 1_000


@dataclass(frozen=True)
class Exposure:
    """One answer that a user of a trial was shown.

    Attributes:
        user_id: The user.
        arm: The release that the user is assigned to; the other one may have answered in its place when it
            failed, and that counts as this one's, or failures would flatter it.
        at_ms: When, milliseconds since 1970.
        items: The first items of the answer.
    """

    user_id: int
    arm: int
    at_ms: int
    items: tuple[int, ...]

    def fields(self) -> dict[Any, Any]:
        """As an entry of the stream."""
        items = ",".join(map(str, self.items))
        return {"user": self.user_id, "arm": self.arm, "at": self.at_ms, "items": items}


def write(client: redis.Redis, exposures: Sequence[Exposure], most: int) -> None:
    """Append exposures; the oldest go where there are too many.

    Args:
        client: Client of Valkey.
        exposures: In the order of their time.
        most: How many are kept, roughly.

    Raises:
        Unavailable: Valkey did not answer.
    """
    with answering():
        pipeline = client.pipeline(transaction=False)
        for each in exposures:
            pipeline.xadd(keys.EXPOSURES, each.fields(), maxlen=most, approximate=True)
        pipeline.execute()


def read(client: redis.Redis) -> Iterator[Exposure]:
    """All exposures that are kept, oldest first.

    Args:
        client: Client of Valkey.

    Raises:
        Unavailable: Valkey did not answer.
    """
    for _, fields in _entries(client):
        shown = fields[b"items"]
        items = tuple(int(each) for each in shown.split(b",")) if shown else ()
        yield Exposure(int(fields[b"user"]), int(fields[b"arm"]), int(fields[b"at"]), items)


def forget(client: redis.Redis, user_id: int) -> None:
    """Remove a user's exposures.

    Args:
        client: Client of Valkey.
        user_id: The user.

    Raises:
        Unavailable: Valkey did not answer.
    """
    found = [name for name, fields in _entries(client) if int(fields[b"user"]) == user_id]
    if found:
        with answering():
            client.xdel(keys.EXPOSURES, *found)


def _entries(client: redis.Redis) -> Iterator[tuple[Any, Any]]:
    after = "-"
    while True:
        with answering():
            page: Any = client.xrange(keys.EXPOSURES, min=after, count=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = f"({page[-1][0].decode()}"
