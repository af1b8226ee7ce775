"""Percentiles of what was measured."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.bench.latency import PERCENTILES, summarise


def test_known_percentiles() -> None:
    found = summarise(list(range(1001)))
    assert found == {"p50_ms": 500, "p95_ms": 950, "p99_ms": 990, "p99_9_ms": 999, "mean_ms": 500}


def test_nothing_measured_is_not_zero() -> None:
    assert set(summarise([]).values()) == {None}


@given(st.lists(st.floats(0.001, 1e5), min_size=1))
def test_percentiles_rise_within_what_was_met(values: list[float]) -> None:
    found = summarise(values)
    cuts = [found[name] for name in PERCENTILES]
    assert all(cut is not None for cut in cuts)
    assert cuts == sorted(cuts)
    assert round(min(values), 3) <= cuts[0] <= cuts[-1] <= round(max(values), 3)
    assert np.isclose(found["mean_ms"], np.mean(values), atol=1e-3)
