"""Latency at a steady open-loop rate, and a measurement beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys.capacity.profile import ServiceProfile
from recsys.capacity.queueing import Queues
from recsys.errors import BadData

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


def compare(profile: ServiceProfile, runs: Iterable[dict[str, Any]], seed: int = 0) -> list[dict[str, float]]:
    """Measured open-loop runs beside what the model says.

    Args:
        profile: Service times of the server that was measured.
        runs: Each with `rate`, in requests a second, `p50_ms` and `p99_ms`.
        seed: Of all draws.

    Returns:
        For each run the rate, both p50 and p99 in milliseconds, and the model's relative errors.
    """
    lines = []
    for run in runs:
        said = predict(profile, float(run["rate"]), seed=seed)
        lines.append(
            {
                "rate_rps": said.rate_rps,
                "utilisation": said.utilisation,
                "measured_p50_ms": float(run["p50_ms"]),
                "predicted_p50_ms": said.p50_ms,
                "p50_error": said.p50_ms / float(run["p50_ms"]) - 1,
                "measured_p99_ms": float(run["p99_ms"]),
                "predicted_p99_ms": said.p99_ms,
                "p99_error": said.p99_ms / float(run["p99_ms"]) - 1,
            }
        )
    return lines


def open_loop_runs(path: Path) -> list[dict[str, Any]]:
    """The open-loop runs of a benchmark's JSON: those of the ensemble, one user a request.

    Raises:
        BadData: There is none, or one lacks a percentile.
    """
    try:
        document = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise BadData(str(path), f"is not JSON ({error})", "Give the JSON of a load test") from error
    given = document.get("runs", ()) if isinstance(document, dict) else ()
    opened = [run for run in given if run.get("rate") and run.get("rows", 1) == 1]
    runs = [run for run in opened if run.get("variant", "ensemble") == "ensemble"]
    if not runs or not all({"p50_ms", "p99_ms"} <= set(run) for run in runs):
        raise BadData(
            str(path), "holds no open-loop run with rate, p50_ms and p99_ms", "Measure one with --rate"
        )
    return runs
