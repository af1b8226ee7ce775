"""A release that is tried beside the one that is served: which, and on how much of the traffic."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import redis

from recsys.errors import BadData, BadUse
from recsys.online import keys
from recsys.online.connection import answering


@dataclass(frozen=True)
class Trial:
    """What gateways do with the challenger.

    Attributes:
        release: Its number.
        shadow: Share of requests of which it gets a copy, 0 to 1; its answers to them are thrown away.
        canary: Share of users whom it answers, 0 to 0.5: as many again are the control group.
    """

    release: int
    shadow: float = 0.0
    canary: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.shadow <= 1:
            raise BadUse(f"shadow {self.shadow:g}", "not a share", "Give 0% to 100%")
        if not 0 <= self.canary <= 0.5:
            raise BadUse(f"canary {self.canary:g}", "leaves no control group of its size", "Give 0% to 50%")


def start(client: redis.Redis, trial: Trial) -> None:
    """Have all gateways try a release, within about a second; a trial of another release ends.

    Args:
        client: Client of Valkey.
        trial: What to do; its release is loaded on every replica.

    Raises:
        Unavailable: Valkey did not answer.
    """
    before = read(client)
    with answering():
        if before is None or before.release != trial.release:
            client.delete(keys.SHADOWED)
        client.set(keys.TRIAL, json.dumps(asdict(trial)))


def stop(client: redis.Redis) -> None:
    """End the trial; what was measured stays.

    Args:
        client: Client of Valkey.

    Raises:
        Unavailable: Valkey did not answer.
    """
    with answering():
        client.delete(keys.TRIAL)


def read(client: redis.Redis) -> Trial | None:
    """The trial under way, None if there is none.

    Args:
        client: Client of Valkey.

    Raises:
        BadData: The key holds something else.
        Unavailable: Valkey did not answer.
    """
    with answering():
        stored: Any = client.get(keys.TRIAL)
    if stored is None:
        return None
    try:
        return Trial(**json.loads(stored))
    except (ValueError, TypeError) as error:
        raise BadData(keys.TRIAL, f"holds {stored[:60]!r}", "Delete the key in Valkey") from error
