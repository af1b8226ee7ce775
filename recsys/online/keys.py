"""Names of what the online loop keeps in Valkey."""

from __future__ import annotations

from typing import Final

EVENTS: Final = "events"
"""Stream of accepted events."""

DEAD_EVENTS: Final = "events:dead"
"""Stream of events that could not be applied, each with the reason."""

BEHAVIOR: Final = "behavior"
"""Stream of new top categories on their way to the offline store."""

DUE: Final = "behavior:due"
"""Sorted set of users by the second at which a click leaving the window will change their top category."""

REQUESTS: Final = "requests:recent"
"""List of requests for recommendations, newest first: what the next release is warmed with."""

PROMOTION: Final = "promotion"
"""Held while a release is promoted on a cluster."""

TRIAL: Final = "trial"
"""Which release is tried beside the one that is served, and on how much of the traffic."""

EXPOSURES: Final = "exposures"
"""Stream of what was shown to whom while a release is tried."""

SHADOWED: Final = "trial:shadow"
"""Hash of sums over the copies that the challenger answered."""

POPULAR: Final = "popular:global"
TRENDING: Final = "trending:global"


def popular_l1(category: int) -> str:
    """Popular items of one top-level category."""
    return f"popular:l1:{category}"


def popular_l2(category: int) -> str:
    """Popular items of one second-level category."""
    return f"popular:l2:{category}"


def recent(user_id: int) -> str:
    """A user's items by the time (ms) of the last event."""
    return f"recent:{user_id}"


def window(user_id: int) -> str:
    """A user's clicks of the last 24 hours by time (s): what top_category is computed from."""
    return f"window:{user_id}"


def forgotten(user_id: int) -> str:
    """The moment (ms) up to which a user's events are forgotten."""
    return f"forgotten:{user_id}"


def seen(user_id: int, generation: int) -> str:
    """A user's seen filter of one generation, as a byte string."""
    return f"seen:{user_id}:{generation}"


def seen_native(user_id: int, generation: int) -> str:
    """A user's seen filter of one generation, of the Bloom module's type."""
    return f"seen:{user_id}:{generation}:bf"


def applied(generation: int, bucket: int) -> str:
    """Hashes of the ids of events that had their effect."""
    return f"applied:{generation}:{bucket}"


def worker(name: str) -> str:
    """Sign of life of one worker; gone a few seconds after the worker."""
    return f"worker:{name}"


def precomputed(user_id: int) -> str:
    """A user's answer from the batch job."""
    return f"precomputed:{user_id}"
