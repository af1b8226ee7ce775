from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.capacity.erlang import erlang_c, mean_wait_s, mm1_latency_quantile_s, wait_quantile_s


def test_known_values() -> None:
    assert erlang_c(1, 0.7) == pytest.approx(0.7)  # M/M/1: an arrival waits with probability ρ
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert mean_wait_s(1, 0.5, 1.0) == pytest.approx(1.0)  # ρ/(μ-λ)
    assert mm1_latency_quantile_s(0.5, 0.5, 1.0) == pytest.approx(2 * math.log(2))


@given(servers=st.integers(1, 12), load=st.floats(0.01, 0.99))
def test_recursion_equals_the_sum(servers: int, load: float) -> None:
    offered = servers * load
    last = offered**servers / math.factorial(servers) / (1 - load)
    total = sum(offered**k / math.factorial(k) for k in range(servers)) + last
    assert erlang_c(servers, offered) == pytest.approx(last / total)


@given(servers=st.integers(1, 12), load=st.floats(0.01, 0.99), probability=st.floats(0.01, 0.999))
def test_quantile_inverts_the_tail(servers: int, load: float, probability: float) -> None:
    rate = servers * load
    at = wait_quantile_s(probability, servers, rate, 1.0)
    tail = erlang_c(servers, rate) * math.exp(-(servers - rate) * at)
    assert tail <= 1 - probability + 1e-9
    assert at == 0 or tail == pytest.approx(1 - probability)


def test_overload_is_refused() -> None:
    with pytest.raises(ValueError, match="must lie"):
        erlang_c(2, 2.0)
