"""Valkey as a stage is given it."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from recsys.settings import SeenSettings, Settings
from recsys.valkey import connect


@dataclass(frozen=True)
class Store:
    """A connection and what is to be known about its contents.

    Attributes:
        client: Client with time limits.
        seen: How the seen filter was written.
    """

    client: redis.Redis
    seen: SeenSettings

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """The store that the settings name; it connects at its first call."""
        return cls(connect(settings.valkey), settings.seen)
