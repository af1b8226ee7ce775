"""Valkey as a stage is given it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import redis

from recsys.online.popularity import Popularity
from recsys.serving.breaker import Breaker
from recsys.settings import PopularitySettings, RecentsSettings, SeenSettings, Settings
from recsys.valkey import connect


@dataclass(frozen=True)
class Store:
    """A connection and what is to be known about its contents.

    Attributes:
        client: Client with time limits.
        seen: How the seen filter was written.
        recents: How long clicks are kept.
        counts: How popularity was counted.
    """

    client: redis.Redis
    seen: SeenSettings
    recents: RecentsSettings = field(default_factory=RecentsSettings)
    counts: PopularitySettings = field(default_factory=PopularitySettings)

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """The store that the settings name; it connects at its first call."""
        return cls.of(connect(settings.valkey), settings)

    @classmethod
    def of(cls, client: redis.Redis, settings: Settings) -> Store:
        """The store behind a client that is there already."""
        return cls(client, settings.seen, settings.recents, settings.popularity)

    @cached_property
    def breaker(self) -> Breaker:
        """What guards it in stages, which run one batch after another.

        One failed call opens it: each further one would make all that wait behind it wait for as long.
        """
        return Breaker(failures=1, cooldown_s=0.2, longest_s=1.0, probe=self.client.ping)

    def popularity(self) -> Popularity:
        """What is popular today."""
        return Popularity(self.client, self.counts)
