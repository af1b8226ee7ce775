from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.capacity.erlang import mean_wait_s, mm1_latency_quantile_s, wait_quantile_s
from recsys.capacity.profile import ServiceProfile
from recsys.capacity.queueing import Queues

REQUESTS = 400_000


def _exponential(slots: int, mean_ms: float = 10.0) -> ServiceProfile:
    rng = np.random.default_rng(1)
    draws = rng.exponential(mean_ms, 100_000)
    return ServiceProfile(samples_ms=tuple(draws / draws.mean() * mean_ms), slots=slots)


def _run(
    profile: ServiceProfile, rate: float, replicas: int = 1, patience: float = np.inf, count: int = REQUESTS
):
    rng = np.random.default_rng(3)
    queues = Queues(profile, replicas, patience, rng)
    queues.offer(rng.exponential(1 / rate, count).cumsum(), rng.integers(0, replicas, count))
    return queues.advance(np.inf), queues


@pytest.mark.parametrize(("slots", "load"), [(1, 0.5), (1, 0.8), (2, 0.7), (4, 0.8), (8, 0.9)])
def test_waits_are_those_of_mmc(slots: int, load: float) -> None:
    rate = slots * load / 0.010
    served, _ = _run(_exponential(slots), rate)
    assert served.wait.mean() == pytest.approx(mean_wait_s(slots, rate, 0.010), rel=0.06)
    expected = wait_quantile_s(0.99, slots, rate, 0.010)
    assert np.quantile(served.wait, 0.99) == pytest.approx(expected, rel=0.08)


def test_latency_is_that_of_mm1() -> None:
    served, _ = _run(_exponential(1), 60.0)
    for part in (0.5, 0.95, 0.99):
        expected = mm1_latency_quantile_s(part, 60.0, 0.010)
        assert np.quantile(served.latency, part) == pytest.approx(expected, rel=0.06)


def test_random_splitting_gives_every_replica_the_same_queue() -> None:
    served, _ = _run(_exponential(1), 4 * 70.0, replicas=4)
    assert served.wait.mean() == pytest.approx(mean_wait_s(1, 70.0, 0.010), rel=0.06)


def test_one_slot_is_lindleys_recursion() -> None:
    profile = ServiceProfile(samples_ms=(10.0,))
    rng = np.random.default_rng(0)
    arrival = rng.exponential(0.012, 500).cumsum()
    queues = Queues(profile, 1, np.inf, rng)
    queues.offer(arrival, np.zeros(500, int))
    wait = [0.0]
    for gap in np.diff(arrival):
        wait.append(max(0.0, wait[-1] + 0.010 - gap))
    assert np.allclose(queues.advance(np.inf).wait, wait)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(0, 0.05), min_size=1, max_size=60),
    slots=st.integers(1, 3),
    replicas=st.integers(1, 3),
    batch=st.integers(1, 4),
    patience=st.sampled_from([0.0, 0.02, np.inf]),
    cuts=st.lists(st.floats(0, 3), max_size=5),
)
def test_nothing_is_lost_and_steps_do_not_matter(gaps, slots, replicas, batch, patience, cuts) -> None:  # noqa: PLR0917
    profile = ServiceProfile(samples_ms=(10.0,), slots=slots, batch_max=batch, batch_fixed_share=0.5)
    arrival = np.cumsum(gaps)
    replica = np.arange(len(gaps)) % replicas

    def run(steps: list[float]) -> np.ndarray:
        queues = Queues(profile, replicas, patience, np.random.default_rng(0))
        rows, before = [], -1.0
        for until in [*sorted(steps), np.inf]:
            now = (arrival > before) & (arrival <= until)
            queues.offer(arrival[now], replica[now])
            before = until
            served = queues.advance(until)
            rows.append(np.stack([served.arrival, served.wait, served.latency, served.refused]))
        assert queues.waiting == 0
        found = np.concatenate(rows, axis=1)
        return found[:, np.lexsort(found)]

    whole = run([])
    assert whole.shape[1] == len(gaps)
    assert (whole[1] >= 0).all() and (whole[1] <= patience).all()
    # Arrivals at a cut itself may or may not be known to a batch that begins there.
    if not np.isin(np.asarray(cuts), arrival).any():
        assert np.allclose(whole, run(cuts))


def test_batches_share_the_fixed_part() -> None:
    profile = ServiceProfile(samples_ms=(10.0,), batch_max=4, batch_fixed_share=0.8)
    queues = Queues(profile, 1, np.inf, np.random.default_rng(0))
    queues.offer(np.asarray([0.0, 0.001, 0.002, 0.003]), np.zeros(4, int))
    latency = queues.advance(np.inf).latency
    # The first goes alone; the three that wait for it go together: 10 · (0.8 + 0.2 · 3) = 14 ms.
    assert np.allclose(latency, [0.010, 0.023, 0.022, 0.021])
    assert profile.capacity_rps == pytest.approx(4 / (0.010 * 1.6))


def test_a_replica_that_ends_loses_what_waits() -> None:
    queues = Queues(ServiceProfile(samples_ms=(10.0,)), 2, np.inf, np.random.default_rng(0))
    queues.offer(np.asarray([0.0, 0.0, 0.0, 0.0]), np.asarray([0, 0, 0, 1]))
    assert len(queues.advance(0.005).wait) == 2
    assert queues.drop(0) == 2
    assert queues.waiting == 0
