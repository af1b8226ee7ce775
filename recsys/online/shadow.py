"""Copies of requests that a challenger answers for nobody: how alike and how fast it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import redis

from recsys.online import keys
from recsys.online.connection import answering
from recsys.serving.client import Recommendation

TOP: Final = 10
"""Items at the head of both answers that are compared."""

_SUMS: Final = ("copies", "failed", "dropped", "degraded", "overlap", "shift", "served_ms", "challenger_ms")


@dataclass
class Sums:
    """What is added up over copies.

    Attributes:
        copies: Copies that the challenger answered.
        failed: Copies that it did not answer in time.
        degraded: Of those answered, with something from a fallback.
        dropped: Copies that were not sent because too many waited.
        overlap: Sum of overlap@10.
        shift: Sum of score shifts.
        served_ms: Sum of milliseconds that the served release took.
        challenger_ms: The same of the challenger.
    """

    copies: float = 0
    failed: float = 0
    dropped: float = 0
    degraded: float = 0
    overlap: float = 0
    shift: float = 0
    served_ms: float = 0
    challenger_ms: float = 0

    def means(self) -> dict[str, float]:
        """The report: counts, and means over the copies that were answered."""
        count = self.copies or float("nan")
        return {
            "copies": self.copies,
            "failed": self.failed,
            "dropped": self.dropped,
            "degraded": self.degraded,
            f"overlap@{TOP}": self.overlap / count,
            "score_shift": self.shift / count,
            "served_ms": self.served_ms / count,
            "challenger_ms": self.challenger_ms / count,
        }


def overlap(served: Recommendation, challenger: Recommendation) -> float:
    """Share of the served answer's first ten items that are among the challenger's first ten."""
    first = served.ids[:TOP]
    return len(set(first) & set(challenger.ids[:TOP])) / len(first) if first else 1.0


def shift(served: Recommendation, challenger: Recommendation) -> float:
    """How much higher the challenger's ten best scores are, on average; 0 where an answer is empty."""
    ours, theirs = served.scores[:TOP], challenger.scores[:TOP]
    return sum(theirs) / len(theirs) - sum(ours) / len(ours) if ours and theirs else 0.0


def add(client: redis.Redis, sums: Sums) -> None:
    """Add to what all gateways have measured.

    Args:
        client: Client of Valkey.
        sums: This gateway's since the last time.

    Raises:
        Unavailable: Valkey did not answer.
    """
    with answering():
        pipeline = client.pipeline(transaction=False)
        for name in _SUMS:
            pipeline.hincrbyfloat(keys.SHADOWED, name, getattr(sums, name))
        pipeline.execute()


def read(client: redis.Redis) -> Sums:
    """What all gateways have measured of the present trial, or of the last one.

    Args:
        client: Client of Valkey.

    Raises:
        Unavailable: Valkey did not answer.
    """
    with answering():
        found: Any = client.hgetall(keys.SHADOWED)
    return Sums(**{name: float(found.get(name.encode(), 0)) for name in _SUMS})
