from __future__ import annotations

import pytest
from factories.clock import Clock
from hypothesis import given
from hypothesis import strategies as st

from recsys.online.limits import RateLimiter


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    limiter = RateLimiter(2.0, 3, clock)
    assert [limiter.wait_s("a") for _ in range(4)] == [0, 0, 0, pytest.approx(0.5)]
    assert limiter.wait_s("b") == 0
    clock.now = 0.5
    assert limiter.wait_s("a") == 0
    assert limiter.wait_s("a") > 0


@given(st.lists(st.floats(0, 1), max_size=100), st.floats(0.5, 20), st.integers(1, 10))
def test_never_more_than_burst_and_rate_allow(steps: list[float], rate: float, burst: int) -> None:
    clock = Clock()
    limiter, granted = RateLimiter(rate, burst, clock), 0
    for step in steps:
        clock.now += step
        granted += limiter.wait_s("a") == 0
        assert granted <= burst + rate * clock.now + 1e-6
