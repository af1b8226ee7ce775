"""A load test of a server that is made of models in a row on a few cores, simulated step by step."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

_MODELS_MS = (0.3, 0.6, 0.5, 0.4, 0.4, 0.7, 0.6, 0.5, 0.6, 0.3, 0.5, 0.9, 0.4, 0.3)
_MOST = 64


def load_test(rate: float, seconds: float, *, spread: float, door_ms: float, seed: int) -> dict[str, Any]:
    """Latencies of requests at random moments, as a benchmark reports them.

    Each passes a door that serves all at once and then fourteen models, each of which takes all that wait
    for it as one batch. What is at work shares two cores.

    Args:
        rate: Requests a second.
        seconds: Length.
        spread: Standard deviation of the logarithm of each step's time.
        door_ms: CPU time of the door, in ms.
        seed: Of all draws.
    """
    rng = np.random.default_rng(seed)
    arrival = rng.exponential(1 / rate, int(rate * seconds)).cumsum()
    waiting: list[list[int]] = [[] for _ in _MODELS_MS]
    batches: dict[int, list[int]] = {}
    at_work: list[tuple[float, int, int]] = []  # done on the shared clock, model or -1, request
    ended = np.empty(len(arrival))
    clock, now, coming = 0.0, 0.0, 0
    while coming < len(arrival) or at_work:
        speed = min(1.0, 2 / max(len(at_work), 1))
        done = now + (at_work[0][0] - clock) / speed if at_work else np.inf
        if coming < len(arrival) and arrival[coming] <= done:
            clock, now = clock + (arrival[coming] - now) * speed, arrival[coming]
            heapq.heappush(at_work, (clock + _time(door_ms, spread, rng), -1, coming))
            coming += 1
            continue
        clock, model, request = heapq.heappop(at_work)
        now = done
        left = [request] if model < 0 else batches.pop(model)
        if model + 1 < len(_MODELS_MS):
            waiting[model + 1] += left
        else:
            ended[left] = now
        for each in {model, model + 1} & set(range(len(_MODELS_MS))) - batches.keys():
            if waiting[each]:
                batches[each], waiting[each] = waiting[each][:_MOST], waiting[each][_MOST:]
                work = _MODELS_MS[each] * (0.7 + 0.3 * len(batches[each]))
                heapq.heappush(at_work, (clock + _time(work, spread, rng), each, -1))
    latency = (ended - arrival) * 1e3
    p50, p95, p99 = np.percentile(latency, (50, 95, 99))
    return {"variant": "ensemble", "rate": rate, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


def _time(mean_ms: float, spread: float, rng: np.random.Generator) -> float:
    return float(mean_ms * 1e-3 * np.exp(spread * rng.standard_normal()))
