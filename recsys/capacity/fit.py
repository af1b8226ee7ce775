"""A replica's slots and service times from open-loop load tests: the profile that explains them best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from recsys.capacity.predict import predict
from recsys.capacity.profile import ServiceProfile

LEAST_RUNS: Final = 2
PERCENTILES: Final = ("p50_ms", "p95_ms", "p99_ms")
_WEIGHTS: Final = np.array([1.0, 1.0, 0.7])
"""Of the percentiles' relative errors: few requests tell a p99."""
_Z: Final = np.array([0.0, 1.6448536, 2.3263479])  # standard normal quantiles of the percentiles
_SAMPLES: Final = 500
_ROUGH, _FINE = 2_000, 12_000
"""Requests simulated a rate: for all profiles, and for the best of them."""
_BEST: Final = 25
_SHARES: Final = np.arange(0.3, 1.55, 0.1)
"""Service times tried, as parts of the latency of the slowest run; what is left of it holds no slot."""
_SHARED: Final = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
_WHOLE: Final = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)


def fit(runs: Sequence[Mapping[str, Any]], source: str) -> ServiceProfile:
    """The profile whose latencies come closest to the measured ones, over all runs.

    The slowest run gives the form of the service times. Tried are numbers of slots, shared and not, and
    how much of that run's latency holds one. Errors are those of the percentiles' logarithms, squared.

    Args:
        runs: Open loops of one server, each with `rate`, `p50_ms`, `p95_ms`, `p99_ms`; those of
            Triton's statistics (`stages`, `mean_ms`) also tell what its queues show.
        source: What was measured, in words.

    Raises:
        KeyError: A run lacks a value.
    """
    rising = sorted(runs, key=lambda run: float(run["rate"]))
    alone = _quantiles(rising[0])
    measured = np.log([[float(run[name]) for name in PERCENTILES] for run in rising])
    rates = [float(run["rate"]) for run in rising]
    tried = sorted(_candidates(alone, rates[-1]), key=lambda one: _error(one, rates, measured, _ROUGH))
    best = min(tried[:_BEST], key=lambda one: _error(one, rates, measured, _FINE))
    how = "shared" if best.sharing else "in turn"
    return best.model_copy(
        update={
            "queue_share": _queue_share(rising),
            "source": f"{source}, fitted to {', '.join(f'{rate:g}' for rate in rates)} requests/s: "
            f"{best.slots:g} slots, {how}, {best.capacity_rps:.0f} requests/s at best",
        }
    )


def _candidates(alone: np.ndarray, fastest: float) -> Iterator[ServiceProfile]:
    """Profiles that can keep up with the fastest run."""
    for sharing, counts in ((False, _WHOLE), (True, _SHARED)):
        for slots in counts:
            for share in _SHARES:
                # A whole request's latency cannot hold a slot for longer than it takes, unless it keeps
                # others busy beside it, as a server that works on one request with several threads does.
                profile = ServiceProfile(
                    samples_ms=tuple(alone * share),
                    slots=slots,
                    sharing=sharing,
                    overhead_ms=max(0.0, float(np.median(alone)) * (1 - share)),
                )
                if profile.capacity_rps > fastest:
                    yield profile


def _error(profile: ServiceProfile, rates: Sequence[float], measured: np.ndarray, requests: int) -> float:
    said = [predict(profile, rate, requests=requests) for rate in rates]
    logs = np.log([[getattr(one, name) for name in PERCENTILES] for one in said])
    return float((_WEIGHTS * (logs - measured) ** 2).sum())


def _quantiles(run: Mapping[str, Any]) -> np.ndarray:
    """Latencies with a run's percentiles, float64 [_SAMPLES] in ms.

    Their logarithm is drawn through the percentiles over the normal distribution's quantiles; below the
    median it falls half as steeply, since a request cannot be much faster than usual.
    """
    known = np.log([float(run[name]) for name in PERCENTILES])
    z = _normal_quantiles((np.arange(_SAMPLES) + 0.5) / _SAMPLES)
    above = np.interp(z, _Z, known) + np.maximum(z - _Z[-1], 0) * (known[2] - known[1]) / (_Z[2] - _Z[1])
    below = known[0] + z * (known[1] - known[0]) / _Z[1] / 2
    return np.asarray(np.exp(np.where(z < 0, below, above)))


def _normal_quantiles(probability: np.ndarray) -> np.ndarray:
    from statistics import NormalDist

    return np.array([NormalDist().inv_cdf(one) for one in probability])


def _queue_share(rising: Sequence[Mapping[str, Any]]) -> float:
    """Of the time that requests lose to others, the part that Triton's queues show; 1 where it is not known.

    Least squares through the slowest run: queue time above that run's, over latency above that run's.
    """
    points = [
        (float(run["mean_ms"]), sum(stage["queue_us"] * stage["requests"] for stage in run["stages"]) / 1e3
         / max(stage["requests"] for stage in run["stages"]))
        for run in rising
        if run.get("stages") and run.get("mean_ms")
    ]  # fmt: skip
    if len(points) < LEAST_RUNS:
        return 1.0
    lost, queued = (np.array(column) - column[0] for column in zip(*points, strict=True))
    square = float(lost @ lost)
    return float(np.clip(lost @ queued / square, 0.0, 1.0)) if square else 1.0
