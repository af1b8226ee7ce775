"""The HorizontalPodAutoscaler's decisions.

Formulas: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/ , sections "Algorithm
details" (ratio, tolerance, largest of several metrics), "Stabilization window" and "Scaling policies".
What the page leaves open for metrics of type Object is taken from GetObjectMetricReplicas and
GetObjectPerPodMetricReplicas in Kubernetes' pkg/controller/podautoscaler/replica_calculator.go.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Policy:
    """How far one period may scale.

    Attributes:
        kind: Of what `value` is a number: pods, or percent of the pods at the period's beginning.
        value: Most that is added or removed in a period.
        period_s: Length of the period in seconds.
    """

    kind: Literal["Pods", "Percent"]
    value: float
    period_s: float


@dataclass(frozen=True)
class Rules:
    """One direction's `behavior`: of its policies the one that allows most counts."""

    stabilization_s: float
    policies: tuple[Policy, ...]


@dataclass(frozen=True)
class Hpa:
    """What the autoscaler is told; the defaults are those of `triton.autoscaling` in the chart's values.

    Attributes:
        threshold_ms: Target of the mean queue time of a request, in milliseconds.
        busy: Target of the share of its time that a replica's slots serve; 0 leaves this metric out.
        min_replicas: Fewest replicas.
        max_replicas: Most replicas.
        sync_s: Period of the control loop, in seconds.
        tolerance: No action while the ratio is this close to 1.
        window_s: Length over which the metrics' rates are taken.
        lag_s: Age of the newest sample when the loop reads it: scrape, rule and adapter.
        up: Rules for adding.
        down: Rules for removing.
    """

    threshold_ms: float = 10.0
    busy: float = 0.7
    min_replicas: int = 2
    max_replicas: int = 8
    sync_s: float = 15.0
    tolerance: float = 0.1
    window_s: float = 60.0
    lag_s: float = 30.0
    up: Rules = Rules(0.0, (Policy("Percent", 100, 30.0), Policy("Pods", 2, 30.0)))
    down: Rules = Rules(600.0, (Policy("Pods", 1, 120.0),))


class Autoscaler:
    """The control loop's memory and its decision.

    Args:
        settings: Targets and rules.
    """

    def __init__(self, settings: Hpa) -> None:
        self.settings = settings
        self._wishes: list[tuple[float, int]] = []
        self._changes: list[tuple[float, int]] = []

    def decide(self, now_s: float, queue_ms: float, busy: float, ready: int, replicas: int) -> int:
        """How many replicas there shall be from now on.

        Args:
            now_s: Time; rises from call to call.
            queue_ms: Mean queue time of a request (target type Value).
            busy: Share of their time that the ready replicas' slots serve, 0..1 (target type Value).
            ready: Replicas that answer.
            replicas: Replicas that were asked for.

        Returns:
            The new number of replicas.
        """
        settings = self.settings
        wish = self._wish(queue_ms / settings.threshold_ms, ready, replicas)
        if settings.busy:
            wish = max(wish, self._wish(busy / settings.busy, ready, replicas))
        wish = min(max(wish, settings.min_replicas), settings.max_replicas)
        wanted = self._limited(now_s, self._stable(now_s, wish, replicas), replicas)
        wanted = min(max(wanted, settings.min_replicas), settings.max_replicas)
        if wanted != replicas:
            self._changes.append((now_s, wanted - replicas))
        return wanted

    def _wish(self, ratio: float, counted: int, replicas: int) -> int:
        """ceil(counted replicas · ratio), unless the ratio is close to 1."""
        if abs(ratio - 1) <= self.settings.tolerance:
            return replicas
        return math.ceil(counted * ratio - 1e-9)

    def _stable(self, now_s: float, wish: int, replicas: int) -> int:
        """The lowest recent wish for adding, the highest for removing."""
        up, down = self.settings.up.stabilization_s, self.settings.down.stabilization_s
        self._wishes = [(at, past) for at, past in self._wishes if at > now_s - max(up, down)]
        self._wishes.append((now_s, wish))
        lowest = min(past for at, past in self._wishes if at > now_s - up or at == now_s)
        highest = max(past for at, past in self._wishes if at > now_s - down or at == now_s)
        return min(max(replicas, lowest), highest)

    def _limited(self, now_s: float, wanted: int, replicas: int) -> int:
        """What the policies allow of it."""
        if wanted > replicas:
            limits = [self._limit(policy, now_s, replicas, +1) for policy in self.settings.up.policies]
            return min(wanted, max([replicas, *limits]))
        if wanted < replicas:
            limits = [self._limit(policy, now_s, replicas, -1) for policy in self.settings.down.policies]
            return max(wanted, min([replicas, *limits]))
        return wanted

    def _limit(self, policy: Policy, now_s: float, replicas: int, sign: int) -> int:
        since = now_s - policy.period_s
        begun_with = replicas - sum(change for at, change in self._changes if at > since)
        if policy.kind == "Pods":
            return int(begun_with + sign * policy.value)
        allowed = begun_with * (1 + sign * policy.value / 100)
        # Rounded so that at least one pod may come or go.
        return math.ceil(allowed - 1e-9) if sign > 0 else math.floor(allowed + 1e-9)
