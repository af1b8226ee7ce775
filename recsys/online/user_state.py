"""All that is known of a user when a request comes in: Feast's features and the newest clicks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import redis
from numpy.typing import ArrayLike

from recsys.features.online_store import UserFeatureReader, UserFeatures
from recsys.online.recents import RecentItems, Recents
from recsys.settings import RecentsSettings
from recsys.valkey import unavailable


@dataclass(frozen=True)
class UserState:
    """What the store holds of B users.

    Attributes:
        features: Of the feature views.
        recents: The newest clicks.
    """

    features: UserFeatures
    recents: RecentItems


class UserStateReader:
    """Reads features and newest clicks of a batch of users in one round trip.

    Args:
        client: Client of Valkey with time limits; it must not decode answers.
        settings: How long a click is kept.
    """

    def __init__(self, client: redis.Redis, settings: RecentsSettings | None = None) -> None:
        self._client = client
        self._features = UserFeatureReader(client)
        self._recents = Recents(client, settings=settings)

    @property
    def malformed(self) -> int:
        """How many values could not be read since this reader was made; each counted as missing."""
        return self._features.malformed + self._recents.malformed

    def read(self, user_ids: ArrayLike, now_ms: ArrayLike) -> UserState:
        """Looks up a batch of users.

        Args:
            user_ids: int64 [B], any values; unknown ones are not an error.
            now_ms: The moment of each request, int64 [B].

        Raises:
            Unavailable: Valkey did not answer within the client's time limits.
        """
        users = np.asarray(user_ids, dtype=np.int64).reshape(-1)
        moments = np.asarray(now_ms, dtype=np.int64).reshape(-1)
        pipe = self._client.pipeline(transaction=False)
        self._features.queue(pipe, users)
        self._recents.queue(pipe, users.tolist(), moments.tolist())
        try:
            answers = pipe.execute(raise_on_error=False)
        except (redis.RedisError, OSError) as error:
            raise unavailable(error) from error
        return UserState(
            self._features.parse(answers[: len(users)]), self._recents.parse(answers[len(users) :])
        )
