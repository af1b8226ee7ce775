"""A replica's service times and slots from what `recsys bench serving --json` measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from recsys.capacity.fit import LEAST_RUNS, fit
from recsys.capacity.profile import ServiceProfile
from recsys.errors import BadData

KEPT_UP: Final = 0.9
"""Least share of an open loop's rate that was answered; below it the queue grew all the time."""
STEADY: Final = 1.5
"""Greatest ratio of the rounds' medians; beyond it a load test does not agree with itself."""
_IDLE: Final = 0.15  # share of the best throughput up to which requests hardly ever wait
_ENSEMBLE: Final = "ensemble"

Run = dict[str, Any]


def profile_of(runs: Sequence[Run], source: str) -> ServiceProfile:
    """The profile that fits the open loops of one user a request best, where there are a few.

    With fewer than `LEAST_RUNS` of them it is put together from the closed loops.

    Args:
        runs: Of the benchmark.
        source: What was measured, for messages.

    Raises:
        BadData: There is nothing to tell a service time from.
    """
    runs = [run for run in runs if run.get("rows", 1) == 1]
    variants = [run.get("variant") for run in runs]
    variant = _ENSEMBLE if _ENSEMBLE in variants else next(iter(variants), None)
    runs = [run for run in runs if run.get("variant") == variant]
    opened = [run for run in runs if run.get("rate")]
    try:
        if len(opened) >= LEAST_RUNS:
            sound = [run for run in opened if not flaw(run)]
            return fit(sound if len(sound) >= LEAST_RUNS else opened, f"{source}, {variant}")
        return _from_closed_loops(runs, f"{source}, {variant}")
    except KeyError as error:
        fix = "Measure again with `recsys bench serving --json`"
        raise BadData(source, f"a run lacks {error}", fix) from error


def halves(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Open loops to fit a model to, and others to hold beside what it says.

    Every second one by its rate is held back, the fastest of an even number among them, so that one of
    them lies beyond what the model has seen.
    """
    rising = sorted(runs, key=lambda run: float(run["rate"]))
    return rising[0::2], rising[1::2]


def flaw(run: Run) -> str:
    """Why an open loop can neither make nor judge a model; empty where it can."""
    if float(run.get("throughput_rps") or run["rate"]) < KEPT_UP * float(run["rate"]):
        return "overrun"
    medians = [float(value) for value in run.get("rounds_p50_ms") or () if value]
    return "unsteady" if medians and max(medians) > STEADY * min(medians) else ""


def _from_closed_loops(runs: Sequence[Run], source: str) -> ServiceProfile:
    """A profile by Little's law.

    The latency L of requests that wait for nothing is service and overhead: that of the slowest open loop
    where it is slow enough, since requests at random moments find colder caches than those of one caller
    who asks again and again, else that of concurrency 1. The best throughput X of the closed loops bounds
    what slots do: by Little's law X·L requests are being served then, so there are floor(X·L) slots, each
    held for slots/X; what is left of L holds no slot. Callers who wait for each other make larger batches
    than requests at random moments do, so X is more than an open loop reaches.
    """
    closed = [run for run in runs if run.get("concurrency")]
    opened = [run for run in runs if run.get("rate")]
    best = max((float(run["throughput_rps"]) for run in closed), default=0.0)
    idle = [run for run in opened if run["rate"] <= _IDLE * best]
    single = [run for run in closed if run["concurrency"] == 1]
    alone = min(idle, key=lambda run: float(run["rate"])) if idle else single[0] if single else None
    if alone is None:
        raise BadData(source, "holds no run at concurrency 1", "Measure one: it tells the service time")
    p50, p95, p99 = (float(alone[f"p{part}_ms"]) for part in (50, 95, 99))
    slots = max(1, int(best * p50 / 1e3))
    share = min(1.0, slots / best * 1e3 / p50)
    return ServiceProfile(
        p50_ms=p50 * share,
        p95_ms=p95 * share,
        p99_ms=p99 * share,
        slots=slots,
        overhead_ms=p50 * (1 - share),
        source=f"{source}: {p50:.1f} ms alone, {best:.0f} requests/s at best",
    )
