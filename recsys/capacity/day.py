"""A day of one deployment, request by request, under autoscaler and node provisioner."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from recsys.capacity.curve import Curve
from recsys.capacity.fleet import Fleet, Nodes
from recsys.capacity.histogram import Histogram
from recsys.capacity.hpa import Autoscaler, Hpa
from recsys.capacity.profile import ServiceProfile
from recsys.capacity.queueing import Queues, Served

_STEP_S: Final = 5.0  # resolution of starts, ends and metrics; requests have exact times
_PERIOD_S: Final = 60.0  # of the report's lines
_START_LOAD: Final = 0.6  # share of capacity that the first replicas are loaded with


@dataclass(frozen=True)
class Plan:
    """What is simulated.

    Attributes:
        profile: Service times of a replica.
        curve: Requests a second.
        hpa: The autoscaler's settings.
        nodes: Start-up times, room and drain.
        deadline_s: Longest wait; a request that would wait longer is refused.
        seed: Of all draws.
    """

    profile: ServiceProfile
    curve: Curve
    hpa: Hpa
    nodes: Nodes
    deadline_s: float = 0.45
    seed: int = 0


@dataclass(frozen=True)
class Day:
    """What came out; the arrays hold one value a minute.

    A refused request counts in the latencies as one that took the deadline: it is then that the gateway
    answers it otherwise. Were it left out, more replicas could raise p99, by answering late what was refused.

    Attributes:
        plan: What was simulated.
        arrived: Requests that came.
        answered: Requests that were answered.
        refused: Requests that waited longer than the deadline, met no replica or were lost with one.
        p50_ms: Median latency of all requests.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        node_hours: Hours of nodes paid for.
        minutes: Arrays by name: rps, ready, wanted, nodes, queue_ms, p99_ms, refused.
    """

    plan: Plan
    arrived: int
    answered: int
    refused: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    node_hours: float
    minutes: dict[str, np.ndarray]

    @property
    def refused_share(self) -> float:
        """Share of all requests that were refused."""
        return self.refused / self.arrived if self.arrived else 0.0

    def summary(self) -> dict[str, Any]:
        """The totals as JSON types."""
        ready = self.minutes["ready"]
        return {
            "requests": self.arrived,
            "refused_share": self.refused_share,
            "p50_ms": self.p50_ms,
            "p95_ms": self.p95_ms,
            "p99_ms": self.p99_ms,
            "replicas": {"least": int(ready.min()), "mean": float(ready.mean()), "most": int(ready.max())},
            "nodes": {"mean": float(self.minutes["nodes"].mean()), "most": int(self.minutes["nodes"].max())},
            "node_hours": self.node_hours,
        }


def simulate(plan: Plan) -> Day:
    """Run the curve through queues, autoscaler and nodes.

    Arrivals are Poisson with the curve's rate, spread evenly at random over the ready replicas. The same
    seed gives the same arrivals whatever the other settings are.
    """
    return _Run(plan).day()


class _Run:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        arrivals, choices, services = np.random.SeedSequence(plan.seed).spawn(3)
        self._arrivals = np.random.default_rng(arrivals)
        self._choices = np.random.default_rng(choices)
        first = plan.curve.rate(0) / plan.profile.capacity_rps / _START_LOAD
        begin = min(max(int(np.ceil(first)), plan.hpa.min_replicas), plan.hpa.max_replicas)
        most = 3 * plan.hpa.max_replicas + 1  # draining replicas keep their number for a while
        self.fleet = Fleet(plan.nodes, begin, most)
        self.queues = Queues(plan.profile, most, plan.deadline_s, np.random.default_rng(services))
        self.autoscaler = Autoscaler(plan.hpa)
        self._samples: deque[tuple[float, float, float, int]] = deque()
        self._ready: deque[tuple[float, int]] = deque()
        periods = int(np.ceil(plan.curve.length_s / _PERIOD_S))
        self._latency = Histogram(periods)
        names = ("rps", "ready", "wanted", "nodes", "queue_ms", "refused")
        self._minutes = {name: np.zeros(periods) for name in names}
        self.arrived = self.answered = self.refused = 0

    def day(self) -> Day:
        length = self.plan.curve.length_s
        next_sync = 0.0
        for now in np.arange(0.0, length, _STEP_S):
            self._move(now)
            if now >= next_sync:
                next_sync += self.plan.hpa.sync_s
                self._sync(now)
            self._serve(now, min(now + _STEP_S, length))
        served = self.queues.advance(np.inf)  # what waits at the end is answered as well
        self._count(len(self._minutes["rps"]) - 1, length, served)
        return self._result()

    def _move(self, now: float) -> None:
        moves = self.fleet.advance(now)
        for number in moves.opened:
            self.queues.open(number, now)
        for number in moves.closed:
            self._lose(self.queues.drop(number), int(now // _PERIOD_S))

    def _serve(self, now: float, until: float) -> None:
        curve, period = self.plan.curve, int(now // _PERIOD_S)
        expected = (curve.rate(now) + curve.rate(until)) / 2 * (until - now)
        count = int(self._arrivals.poisson(expected))
        at = np.sort(self._arrivals.uniform(now, until, count))
        self.arrived += count
        ready = self.fleet.ready
        if ready:
            self.queues.offer(at, np.asarray(ready)[self._choices.integers(0, len(ready), count)])
        else:
            self._lose(count, period)
        self._count(period, until, self.queues.advance(until))
        self._ready.append((until, len(ready)))
        share = (until - now) / min(_PERIOD_S, curve.length_s - period * _PERIOD_S)
        self._minutes["rps"][period] += count / (until - now) * share
        self._minutes["ready"][period] += len(ready) * share
        self._minutes["wanted"][period] += self.fleet.wanted * share
        self._minutes["nodes"][period] += self.fleet.node_count * share

    def _lose(self, count: int, period: int) -> None:
        self.refused += count
        self._minutes["refused"][period] += count
        self._latency.add(period, np.full(count, self.plan.deadline_s))

    def _count(self, period: int, at: float, served: Served) -> None:
        answered = ~served.refused
        self.answered += int(answered.sum())
        self.refused += int(served.refused.sum())
        self._minutes["refused"][period] += served.refused.sum()
        self._latency.add(period, served.latency)  # of a refused one the deadline: see Day
        waits = float(served.wait.sum()) * self.plan.profile.queue_share
        self._samples.append((at, waits, float(served.work.sum()), len(served.wait)))

    def _sync(self, now: float) -> None:
        settings = self.plan.hpa
        newest, oldest = now - settings.lag_s, now - settings.lag_s - settings.window_s
        while self._samples and self._samples[0][0] <= oldest:
            self._samples.popleft()
        seen = [sample for sample in self._samples if sample[0] <= newest]
        count = sum(sample[3] for sample in seen)
        queue_ms = 1e3 * sum(sample[1] for sample in seen) / count if count else 0.0
        self._minutes["queue_ms"][int(now // _PERIOD_S)] = queue_ms
        if now < settings.lag_s + settings.window_s:
            return  # no full window yet
        ready, wanted = len(self.fleet.ready), self.fleet.wanted
        busy = sum(sample[2] for sample in seen) / settings.window_s / self._slots(oldest, newest)
        self.fleet.scale_to(self.autoscaler.decide(now, queue_ms, busy, ready, wanted), now)

    def _slots(self, oldest: float, newest: float) -> float:
        """Slots of the ready replicas, the mean of a metric's window; at least one replica's."""
        while self._ready and self._ready[0][0] <= oldest:
            self._ready.popleft()
        seen = [count for at, count in self._ready if at <= newest]
        return self.plan.profile.slots * max(float(np.mean(seen)) if seen else 1.0, 1.0)

    def _result(self) -> Day:
        p50, p95, p99 = (1e3 * self._latency.quantile_s(part) for part in (0.5, 0.95, 0.99))
        minutes = {**self._minutes, "p99_ms": 1e3 * self._latency.quantiles_s(0.99)}
        node_hours = self.fleet.node_seconds(self.plan.curve.length_s) / 3600
        return Day(self.plan, self.arrived, self.answered, self.refused, p50, p95, p99, node_hours, minutes)
