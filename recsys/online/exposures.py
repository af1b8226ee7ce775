"""What was shown to the users of a trial, and in answers that explored, in a stream of bounded length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from recsys.online import keys
from recsys.online.connection import answering
from recsys.schema import UNKNOWN

_PAGE: Final = 1_000


@dataclass(frozen=True)
class Exposure:
    """One answer that a user was shown.

    Attributes:
        user_id: The user.
        arm: The release that the user is assigned to, or that answered where there is no trial; in a trial
            the other one may have answered in its place when it failed, and that counts as this one's, or
            failures would flatter it.
        at_ms: When, milliseconds since 1970.
        items: The first items of the answer.
        propensities: The chance of each of their places given those before it; empty where nothing was
            explored, 0 where a fallback filled a place.
        device_type: A value of `schema.DEVICES`, -1 if it is not known.
    """

    user_id: int
    arm: int
    at_ms: int
    items: tuple[int, ...]
    propensities: tuple[float, ...] = ()
    device_type: int = UNKNOWN

    def fields(self) -> dict[Any, Any]:
        """As an entry of the stream."""
        items = ",".join(map(str, self.items))
        found: dict[Any, Any] = {"user": self.user_id, "arm": self.arm, "at": self.at_ms, "items": items}
        if self.propensities:
            found |= {"chances": ",".join(map(repr, self.propensities)), "device": self.device_type}
        return found


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
        chances = tuple(float(each) for each in fields.get(b"chances", b"").split(b",") if each)
        device = int(fields.get(b"device", UNKNOWN))
        yield Exposure(int(fields[b"user"]), int(fields[b"arm"]), int(fields[b"at"]), items, chances, device)


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
