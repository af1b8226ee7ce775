"""The same day under several thresholds and amounts of head-room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from recsys.capacity.day import Day, Plan, simulate


def sweep(plan: Plan, thresholds_ms: Sequence[float], headrooms: Iterable[int]) -> Iterator[Day]:
    """Simulate every combination, on the same arrivals.

    Args:
        plan: What they have in common.
        thresholds_ms: Targets of the mean queue time.
        headrooms: Replicas' worth of warm room.

    Yields:
        A day for each combination, thresholds within head-rooms.
    """
    for headroom in headrooms:
        for threshold_ms in thresholds_ms:
            yield simulate(
                replace(
                    plan,
                    hpa=replace(plan.hpa, threshold_ms=threshold_ms),
                    nodes=replace(plan.nodes, headroom=headroom),
                )
            )


def cheapest(days: Iterable[Day], p99_ms: float, refused_share: float) -> Day | None:
    """The day with the fewest node hours among those that meet an objective.

    Args:
        days: Simulated days.
        p99_ms: Highest 99th percentile of latency, in milliseconds.
        refused_share: Highest share of refused requests.

    Returns:
        None where no day meets it.
    """
    good = [day for day in days if day.p99_ms <= p99_ms and day.refused_share <= refused_share]
    return min(good, key=lambda day: day.node_hours, default=None)
