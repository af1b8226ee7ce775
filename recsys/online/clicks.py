"""What users did, out of the log of events: for comparing releases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

import redis

from recsys.data.tables import DAY, read_table
from recsys.online import keys
from recsys.online.connection import answering

_PAGE: Final = 2_000
_SECOND_MS: Final = 999
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


def of_files(paths: Iterable[Path], from_ms: int, users: Collection[int]) -> dict[int, list[tuple[int, int]]]:
    """The same out of files of interactions, such as the days of a data set: for shops whose log is SQS.

    Args:
        paths: Parquet files with the columns of `schema.DAY_COLUMNS`; where neither event_type nor click
            says otherwise, all are clicks.
        from_ms: Milliseconds since 1970.
        users: Whose.

    Returns:
        As `since`. Files tell whole seconds, and a click counts as of the end of its second: so none comes
        before the answer that led to it.

    Raises:
        BadData: A file is missing or damaged, or a column is.
    """
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for path in paths:
        rows = read_table(path, DAY)
        counted = rows["user_id"].isin(list(users)) & (rows["timestamp"] * 1000 + _SECOND_MS >= from_ms)
        if "event_type" in rows:
            counted &= rows["event_type"].isin([name.decode() for name in _COUNTED])
        if "click" in rows:
            counted &= rows["click"] == 1
        some = rows[counted]
        for user, second, item in zip(some["user_id"], some["timestamp"], some["item_id"], strict=True):
            found[int(user)].append((int(second) * 1000 + _SECOND_MS, int(item)))
    return {user: sorted(done) for user, done in found.items()}
