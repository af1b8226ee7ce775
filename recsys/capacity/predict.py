"""Latency at a steady open-loop rate."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from recsys.capacity.profile import ServiceProfile
from recsys.capacity.queueing import Queues

_WARM_UP = 0.1  # share of the simulated time that is left out


@dataclass(frozen=True)
class Prediction:
    """Latency of Poisson arrivals at a steady rate.

    Attributes:
        rate_rps: Requests a second over all replicas.
        utilisation: Share of the slots' time that is asked for; from 1 on, the queue grows without bound.
        queue_ms: Mean wait for a slot: what the autoscaler sees.
        p50_ms: Median latency; a refused request counts as the deadline.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        refused_share: Requests that would wait longer than the deadline.
    """

    rate_rps: float
    utilisation: float
    queue_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    refused_share: float

    def as_dict(self) -> dict[str, float]:
        """As JSON types."""
        return asdict(self)


def predict(
    profile: ServiceProfile,
    rate_rps: float,
    replicas: int = 1,
    *,
    deadline_s: float = float("inf"),
    requests: int = 200_000,
    seed: int = 0,
) -> Prediction:
    """What an open-loop load test would measure, apart from the first tenth of it.

    Args:
        profile: Service times of a replica.
        rate_rps: Requests a second over all replicas; each goes to one of them at random.
        replicas: How many share the rate.
        deadline_s: Longest wait in seconds.
        requests: How many are simulated.
        seed: Of all draws.
    """
    rng = np.random.default_rng(seed)
    queues = Queues(profile, replicas, deadline_s, rng)
    arrival = rng.exponential(1 / rate_rps, requests).cumsum()
    queues.offer(arrival, rng.integers(0, replicas, requests))
    served = queues.advance(np.inf)
    counted = served.arrival > arrival[-1] * _WARM_UP
    quantiles = np.quantile(served.latency[counted] * 1e3, (0.5, 0.95, 0.99))
    return Prediction(
        rate_rps,
        rate_rps / replicas / profile.capacity_rps,
        float(served.wait[counted].mean() * 1e3),
        float(quantiles[0]),
        float(quantiles[1]),
        float(quantiles[2]),
        float(served.refused[counted].mean()),
    )
