"""Closed forms of the queues M/M/1 and M/M/c, which the simulation is checked against.

Source: L. Kleinrock, Queueing Systems, Volume 1: Theory, Wiley 1975, sections 3.2 (M/M/1) and 3.5 (M/M/m).
"""

from __future__ import annotations

import math


def erlang_c(servers: int, offered: float) -> float:
    """Probability that an arrival must wait.

    Args:
        servers: Number of servers, c.
        offered: Offered load λ/μ in erlangs, below `servers`.

    Raises:
        ValueError: The queue would grow without bound.
    """
    if not 0 <= offered < servers:
        raise ValueError(f"offered load {offered} must lie in [0, {servers})")
    # Erlang B by its recursion, which does not overflow; C follows from B.
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return servers * blocked / (servers - offered * (1 - blocked))


def mean_wait_s(servers: int, rate_rps: float, service_s: float) -> float:
    """Mean wait in seconds in M/M/c: C(c, a) / (cμ - λ)."""
    return erlang_c(servers, rate_rps * service_s) / (servers / service_s - rate_rps)


def wait_quantile_s(probability: float, servers: int, rate_rps: float, service_s: float) -> float:
    """Quantile of the wait in M/M/c, from P(W > t) = C(c, a) exp(-(cμ - λ) t)."""
    waits = erlang_c(servers, rate_rps * service_s)
    if waits <= 1 - probability:
        return 0.0
    return math.log(waits / (1 - probability)) / (servers / service_s - rate_rps)


def mm1_latency_quantile_s(probability: float, rate_rps: float, service_s: float) -> float:
    """Quantile of wait plus service in M/M/1, which is exponential with rate μ - λ."""
    return -math.log(1 - probability) / (1 / service_s - rate_rps)
