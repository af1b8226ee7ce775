"""A user's newest clicks, as the behaviour worker keeps them: each item once, at its last click."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import redis
from numpy.typing import NDArray

from recsys.online import keys
from recsys.online.clock import Clock, wall_ms
from recsys.online.connection import answering
from recsys.schema import NO_ITEM, RECENT_CLICKS
from recsys.settings import RecentsSettings

NEVER: Final = -1
"""The moment of a click that is not there."""


@dataclass(frozen=True)
class RecentItems:
    """The newest items of B users, last clicked first; of one moment's, the greater text first.

    Attributes:
        ids: The shop's item ids, int64 [B, 50]; `NO_ITEM` where there are fewer.
        at_ms: Moment of each item's last click, int64 [B, 50]; `NEVER` where there is none.
    """

    ids: NDArray[np.int64]
    at_ms: NDArray[np.int64]


class Recents:
    """Reads the lists that the behaviour worker keeps.

    Args:
        client: Client of Valkey with time limits.
        now_ms: Clock, milliseconds since 1970.
        settings: How long a click is kept.
    """

    def __init__(
        self, client: redis.Redis, now_ms: Clock = wall_ms, settings: RecentsSettings | None = None
    ) -> None:
        self._client = client
        self._now_ms = now_ms
        self._kept_ms = (settings or RecentsSettings()).kept_s * 1000
        self.malformed = 0

    def of(self, user_id: int, n: int = RECENT_CLICKS) -> NDArray[np.int64]:
        """A user's recent items.

        Args:
            user_id: The user.
            n: At most so many.

        Returns:
            int64 [up to n], the last touched first, none twice.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        with answering():
            pipe = self._client.pipeline(transaction=False)
            self.queue(pipe, [user_id], [self._now_ms()])
            found = self.parse(pipe.execute())
        items: NDArray[np.int64] = found.ids[0, found.at_ms[0] != NEVER][:n]
        return items

    def queue(self, pipe: Any, user_ids: Iterable[int], now_ms: Iterable[int]) -> None:
        """Append one command a user to a pipeline.

        Args:
            pipe: A pipeline, not executed yet.
            user_ids: B users.
            now_ms: The moment at which each is looked at; what is older than the settings say is left out.
        """
        for user_id, now in zip(user_ids, now_ms, strict=True):
            pipe.zrevrangebyscore(
                keys.recent(user_id),
                "+inf",
                f"({now - self._kept_ms}",
                start=0,
                num=RECENT_CLICKS,
                withscores=True,
            )

    def parse(self, answers: Sequence[Any]) -> RecentItems:
        """What the answers to `queue` say.

        Args:
            answers: Of B users. A list that cannot be read counts as empty, and is counted in `malformed`.
        """
        ids = np.full((len(answers), RECENT_CLICKS), NO_ITEM, np.int64)
        at_ms = np.full((len(answers), RECENT_CLICKS), NEVER, np.int64)
        for row, answer in enumerate(answers):
            if not answer:
                continue
            try:
                items, moments = zip(*answer, strict=True)
                numbers = [int(item) for item in items]
                ids[row, : len(items)] = numbers
            except (TypeError, ValueError, OverflowError):
                self.malformed += 1
                continue
            at_ms[row, : len(items)] = moments
        return RecentItems(ids, at_ms)
