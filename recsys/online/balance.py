"""Several Tritons as one: requests go round, past those that are left alone by their breakers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from recsys.errors import Unavailable
from recsys.online.batching import Limits
from recsys.online.ensemble import Ensemble
from recsys.online.question import Question
from recsys.serving.client import Recommendation
from recsys.serving.graph import ENSEMBLE
from recsys.settings import Settings


class Answering(Protocol):
    """What answers one user's question: one Triton, several, or a trial of two releases."""

    async def recommend(
        self, question: Question, deadline: float, headers: dict[str, str] | None = None
    ) -> Recommendation:
        """See `Ensemble.recommend`."""
        ...

    async def is_ready(self, timeout_s: float) -> bool:
        """See `Ensemble.is_ready`."""
        ...

    async def close(self) -> None:
        """See `Ensemble.close`."""
        ...


class Balanced:
    """Asks replicas in turn.

    Each has its own breaker, so one that is away costs the others nothing once its breaker is open, and until
    then a request that it fails at once is answered by the next.

    Args:
        replicas: At least one.
    """

    def __init__(self, replicas: Sequence[Answering]) -> None:
        self._replicas = tuple(replicas)
        self._next = 0

    async def recommend(
        self, question: Question, deadline: float, headers: dict[str, str] | None = None
    ) -> Recommendation:
        """One user's answer, from the replica whose turn it is or, where that fails in time, another's.

        Args:
            question: Who is asked for.
            deadline: See `Ensemble.recommend`.
            headers: See `Ensemble.recommend`.

        Raises:
            Unavailable: None of them answered.
        """
        first = self._next
        self._next = (first + 1) % len(self._replicas)
        for replica in (*self._replicas[first:], *self._replicas[:first]):
            try:
                return await replica.recommend(question, deadline, headers)
            except Unavailable as error:
                failure = error
                if time.monotonic() >= deadline:
                    break
        raise failure

    async def is_ready(self, timeout_s: float) -> bool:
        """Whether any of them serves.

        Args:
            timeout_s: How long each may take to answer.
        """
        return any(await asyncio.gather(*(replica.is_ready(timeout_s) for replica in self._replicas)))

    async def close(self) -> None:
        """Close the connections."""
        for replica in self._replicas:
            await replica.close()


def open_ensemble(settings: Settings, model: str = ENSEMBLE) -> Answering:
    """The way to the Tritons of the settings.

    Args:
        settings: `gateway.triton`: one `host:port`, several behind commas, or a name that stands for several
            (`dns:///name:port`), over which gRPC itself goes round.
        model: Which ensemble is asked.
    """
    gateway = settings.gateway
    addresses = gateway.triton or f"127.0.0.1:{settings.serving.grpc_port}"
    found = [
        Ensemble(
            address.strip(),
            gateway.max_calls,
            batching=Limits.of(gateway),
            model=model,
            explores=settings.serving.explore > 0,
        )
        for address in addresses.split(",")
    ]
    return found[0] if len(found) == 1 else Balanced(found)
