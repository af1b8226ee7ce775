from __future__ import annotations

import numpy as np
import pytest

from recsys.capacity.erlang import mean_wait_s
from recsys.capacity.profile import ServiceProfile
from recsys.capacity.queueing import Queues, Served

MEAN_S = 0.010


def _profile(slots: float, form: str, overhead_ms: float = 0.0) -> ServiceProfile:
    rng = np.random.default_rng(1)
    draws = {
        "constant": np.ones(1),
        "exponential": rng.exponential(1, 20_000),
        "wide": rng.lognormal(0, 1.2, 20_000),
    }[form]
    samples = tuple(draws / draws.mean() * MEAN_S * 1e3)
    return ServiceProfile(samples_ms=samples, slots=slots, sharing=True, overhead_ms=overhead_ms)


def _run(
    profile: ServiceProfile,
    rate: float,
    *,
    replicas: int = 1,
    patience: float = np.inf,
    count: int = 200_000,
    step: float = np.inf,
) -> Served:
    rng = np.random.default_rng(3)
    queues = Queues(profile, replicas, patience, rng)
    arrival = rng.exponential(1 / rate, count).cumsum()
    queues.offer(arrival, rng.integers(0, replicas, count))
    moments = [*np.arange(step, arrival[-1], step), np.inf] if np.isfinite(step) else [np.inf]
    parts = [queues.advance(moment) for moment in moments]
    assert queues.waiting == 0
    names = ("arrival", "wait", "latency", "work", "refused")
    return Served(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@pytest.mark.parametrize("form", ["constant", "exponential", "wide"])
@pytest.mark.parametrize(("slots", "load"), [(1, 0.6), (2, 0.7), (4, 0.8)])
def test_the_mean_does_not_depend_on_the_form_of_service_times(slots: int, load: float, form: str) -> None:
    """The mean of M/G/c with processor sharing is that of M/M/c, whatever the service times are."""
    rate = load * slots / MEAN_S
    served = _run(_profile(slots, form), rate)
    assert served.latency.mean() == pytest.approx(MEAN_S + mean_wait_s(slots, rate, MEAN_S), rel=0.06)


def test_requests_alone_are_served_at_full_speed() -> None:
    served = _run(_profile(1.5, "constant", overhead_ms=3), 0.5, count=500)
    assert np.quantile(served.latency, 0.9) == pytest.approx(MEAN_S + 0.003)


def test_three_that_come_at_once_share_two_slots() -> None:
    queues = Queues(_profile(2, "constant"), 1, np.inf, np.random.default_rng(0))
    queues.offer(np.array([0.0, 0.0, 0.0]), np.zeros(3, int))
    assert queues.advance(np.inf).latency == pytest.approx(1.5 * MEAN_S)


@pytest.mark.parametrize("step", [0.007, 0.5, 5.0])
def test_the_steps_of_a_simulation_change_nothing(step: float) -> None:
    profile = _profile(1.5, "exponential")
    whole = _run(profile, 110.0, replicas=2, patience=0.08, count=3_000)
    parts = _run(profile, 110.0, replicas=2, patience=0.08, count=3_000, step=step)
    order, other = np.argsort(whole.arrival), np.argsort(parts.arrival)
    assert np.allclose(whole.latency[order], parts.latency[other])
    assert np.array_equal(whole.refused[order], parts.refused[other])
    assert whole.refused.any()


def test_overload_is_refused_within_the_patience() -> None:
    profile = _profile(2, "exponential")
    served = _run(profile, 2 * profile.capacity_rps, patience=0.2, count=50_000)
    # More than half: what turns out to be late has been served for nothing.
    assert 0.5 < served.refused.mean() < 0.75
    assert served.latency[served.refused] == pytest.approx(0.2)
    assert (served.wait <= 0.2).all()


def test_a_replica_that_ends_takes_what_it_serves_with_it() -> None:
    queues = Queues(_profile(1, "constant"), 2, np.inf, np.random.default_rng(0))
    queues.offer(np.array([0.0, 0.0, 0.001]), np.array([0, 1, 1]))
    queues.advance(0.005)
    assert queues.drop(1) == 2
    assert len(queues.advance(np.inf).latency) == 1
