"""What the gateway's routes work with."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from recsys.online.catalogue import Catalogues
from recsys.online.fallback import PopularShelf
from recsys.online.recommender import Recommender
from recsys.online.trial_service import TrialService
from recsys.online.writer import Writer


@dataclass(frozen=True)
class Services:
    """Made when the gateway starts, within its event loop."""

    recommender: Recommender
    catalogues: Catalogues
    shelf: PopularShelf
    writer: Writer
    ensemble: TrialService
    client: redis.Redis

    def valkey_answers(self) -> bool:
        """Whether Valkey answers within its time limit."""
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False
