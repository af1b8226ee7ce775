from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.capacity.curve import Curve
from recsys.capacity.day import Plan, simulate
from recsys.capacity.fleet import Nodes
from recsys.capacity.hpa import Hpa
from recsys.capacity.predict import predict
from recsys.capacity.profile import ServiceProfile
from recsys.capacity.sweep import cheapest, sweep

PROFILE = ServiceProfile(p50_ms=20, p95_ms=30, p99_ms=40)
CALM = Curve("calm", np.asarray([0.0, 3_600.0]), np.asarray([20.0, 20.0]))
WAVE = Curve("wave", np.asarray([0.0, 1_200.0, 1_320.0, 3_600.0]), np.asarray([20.0, 20.0, 150.0, 20.0]))


def _plan(curve: Curve = WAVE, **changes) -> Plan:
    return replace(Plan(PROFILE, curve, Hpa(), Nodes()), **changes)


@settings(max_examples=10, deadline=None)
@given(
    levels=st.lists(st.floats(0, 200), min_size=2, max_size=5),
    seed=st.integers(0, 100),
    headroom=st.integers(0, 2),
    drain_s=st.sampled_from([0.0, 15.0]),
)
def test_every_request_is_answered_or_refused(levels, seed, headroom, drain_s) -> None:
    curve = Curve("any", np.arange(len(levels)) * 300.0, np.asarray(levels))
    day = simulate(_plan(curve, seed=seed, nodes=Nodes(headroom=headroom, drain_s=drain_s)))
    assert day.answered + day.refused == day.arrived
    expected = np.trapz(curve.rps, curve.seconds)
    assert abs(day.arrived - expected) < 6 * np.sqrt(expected) + 6


def test_a_calm_hour_is_the_steady_prediction() -> None:
    day = simulate(_plan(CALM))
    said = predict(PROFILE, 20.0, replicas=2)
    assert day.minutes["ready"].max() == 2
    assert day.p50_ms == pytest.approx(said.p50_ms, rel=0.03)
    assert day.p99_ms == pytest.approx(said.p99_ms, rel=0.06)
    assert day.node_hours == pytest.approx(2.0)


def test_a_burst_scales_up_after_its_node_and_down_again() -> None:
    day = simulate(_plan())
    ready = day.minutes["ready"]
    assert ready[:20].max() == 2
    cold_start_minutes = (90 + 120 + 30) / 60
    assert ready[20 : 20 + int(cold_start_minutes)].max() == 2
    assert ready.max() > 4
    assert ready[-1] < ready.max()
    assert day.refused_share > 0.01


def test_same_seed_same_day_other_settings_same_arrivals() -> None:
    one, again = simulate(_plan()), simulate(_plan())
    assert one.summary() == again.summary()
    assert simulate(_plan(hpa=Hpa(threshold_ms=50.0))).arrived == one.arrived
    assert simulate(_plan(seed=1)).arrived != one.arrived


def test_more_headroom_does_not_raise_p99_on_average() -> None:
    def mean(headroom: int) -> tuple[float, float]:
        days = [simulate(_plan(seed=seed, nodes=Nodes(headroom=headroom))) for seed in range(5)]
        return float(np.mean([day.p99_ms for day in days])), float(
            np.mean([day.refused_share for day in days])
        )

    none, some, plenty = (mean(headroom) for headroom in (0, 2, 6))
    assert plenty[0] <= some[0] <= none[0]
    assert plenty[1] <= some[1] < none[1]


def test_a_sweep_is_on_one_day_and_names_the_cheapest_that_is_good_enough() -> None:
    days = list(sweep(_plan(), [5.0, 20.0], [0, 2]))
    assert [(day.plan.hpa.threshold_ms, day.plan.nodes.headroom) for day in days] == [
        (5.0, 0), (20.0, 0), (5.0, 2), (20.0, 2),
    ]  # fmt: skip
    assert len({day.arrived for day in days}) == 1
    everything = cheapest(days, 1e9, 1.0)
    assert everything is not None
    assert everything.node_hours == min(day.node_hours for day in days)
    assert cheapest(days, 0.0, 0.0) is None


def test_a_refused_request_counts_as_the_deadline() -> None:
    swamped = Curve("swamped", np.asarray([0.0, 600.0]), np.asarray([500.0, 500.0]))
    day = simulate(_plan(swamped, hpa=Hpa(min_replicas=1, max_replicas=1)))
    assert day.refused_share > 0.5
    assert day.p99_ms >= 450.0
