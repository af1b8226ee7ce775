"""What a replica is warmed and compared with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import redis

from recsys.online.requests import Request, recorded
from recsys.release.answers import sample


def requests_for(client: redis.Redis, folder: Path, count: int) -> Sequence[Request]:
    """Requests that gateways recorded, or else the release's own users.

    Args:
        client: Client of Valkey.
        folder: The release's.
        count: At most so many.

    Raises:
        Unavailable: Valkey did not answer.
    """
    return recorded(client, count) or sample(folder, int(time.time()), count)
