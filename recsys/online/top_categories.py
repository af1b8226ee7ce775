"""Each user's top category as time passes, from the clicks that `recsys.online.effects` keeps in Valkey.

A top category changes when a click happens and when one leaves the 24-hour window. The first is seen at
once; for the second, the moment of the next change waits in a sorted set until it is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import redis

from recsys.features.behavior import TopCategory
from recsys.online import keys
from recsys.online.connection import answering
from recsys.schema import TOP_CATEGORY_WINDOW_S

Clicks = Sequence[tuple[int, int]]
"""(time in unix seconds, category_l1) of one user, in the order of time."""


class Change(NamedTuple):
    """A user's top category from a moment on."""

    user_id: int
    top_category: int
    timestamp: int


def moments(clicks: Clicks) -> list[int]:
    """The seconds at which clicks enter and leave the view, ascending.

    A click is not seen in its own second, so it enters one second later, and leaves one second after the
    window's length.
    """
    return sorted({at + shift + 1 for at, _ in clicks for shift in (0, TOP_CATEGORY_WINDOW_S)})


def values(clicks: Clicks, at: Iterable[int]) -> list[int]:
    """The top category at each of some moments, by the code that training uses.

    Args:
        clicks: One user's clicks.
        at: Unix seconds, ascending.
    """
    state, found, waiting = TopCategory(), [], list(clicks)
    for moment in at:
        while waiting and waiting[0][0] < moment:
            state.push(*waiting.pop(0))
        found.append(state.value(moment))
    return found


def held(clicks: Clicks, after: int, until: int) -> tuple[list[tuple[int, int]], int | None]:
    """Which top categories held in a span of time, and when that changes next.

    Moments more than a window before the newest click are left out: of news that late only the present
    counts.

    Args:
        clicks: One user's clicks.
        after: Unix seconds; moments later than this are told.
        until: Unix seconds; moments later than this are not told yet. Not before the newest click is seen.

    Returns:
        (moment, value) for every moment at which the value could have changed, whether it did or not, so that
        what was told before a click came late is put right; and the moment of the next change, None while
        only a click can bring one.
    """
    start = max([after, *(at - TOP_CATEGORY_WINDOW_S for at, _ in clicks[-1:])])
    asked = [moment for moment in moments(clicks) if moment > start]
    told: list[tuple[int, int]] = []
    for moment, value in zip(asked, values(clicks, asked), strict=True):
        if moment <= until:
            told.append((moment, value))
        elif not told or value != told[-1][1]:
            return told, moment
    return told, None


@dataclass(frozen=True)
class News:
    """What there is to write about some users.

    Attributes:
        history: Every value with the moment it held from, for the offline store.
        current: Each user's value at the last moment looked at, for the online store. That moment never goes
            back, so a store that keeps the newest keeps the right one also when a click came late.
        due: When each user's value changes next.
    """

    history: list[Change] = field(default_factory=list)
    current: list[Change] = field(default_factory=list)
    due: dict[int, int | None] = field(default_factory=dict)


class TopCategories:
    """Works out the top categories of many users and remembers whose change next.

    Args:
        client: Client of Valkey with time limits.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def news(self, since: dict[int, int], until: int = 0) -> News:
        """What users' new clicks, or clicks that left the window, bring.

        Args:
            since: For each user the time of the earliest new click, unix seconds.
            until: Unix seconds up to which time is known to have passed, with all that happened in it. A
                user's newest click is looked at in any case.

        Returns:
            What to write. Pass it to `schedule` once that is done.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        with answering():
            pipeline = self._client.pipeline(transaction=False)
            for user in since:
                pipeline.zrange(keys.window(user), 0, -1, withscores=True)
                pipeline.zscore(keys.DUE, user)
            answers = pipeline.execute()
        news = News()
        for (user, start), window, due in zip(since.items(), answers[::2], answers[1::2], strict=True):
            clicks = [(int(at), int(member.split(b":")[0])) for member, at in window]
            after = start if due is None else min(start, int(due) - 1)
            end = max([until, *(at + 1 for at, _ in clicks[-1:])])
            told, news.due[user] = held(clicks, after, end)
            news.history.extend(Change(user, value, moment) for moment, value in told)
            if told:
                news.current.append(Change(user, told[-1][1], end))
        return news

    def due(self, until: int, limit: int) -> dict[int, int]:
        """Users whose top category changed because clicks left the window.

        Args:
            until: Unix seconds up to which time has passed.
            limit: At most so many.

        Returns:
            For each the time to ask `news` from.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        with answering():
            found = self._client.zrangebyscore(keys.DUE, "-inf", until, start=0, num=limit, withscores=True)
        return {int(user): int(moment) - 1 for user, moment in found}

    def schedule(self, news: News) -> None:
        """Remember when users' top categories change next.

        Args:
            news: What was written.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        with answering():
            pipeline = self._client.pipeline(transaction=False)
            for user, moment in news.due.items():
                if moment is None:
                    pipeline.zrem(keys.DUE, user)
                else:
                    pipeline.zadd(keys.DUE, {str(user): moment})
            pipeline.execute()
