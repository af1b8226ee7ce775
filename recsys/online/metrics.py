"""The gateway's Prometheus metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from recsys.schema import Degraded

_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)


class GatewayMetrics:
    """One set of metrics, with a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "recsys_gateway_requests",
            "Requests by route, method and status",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "recsys_gateway_request_seconds",
            "Seconds from a request's arrival to its answer",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.stage = Histogram(
            "recsys_gateway_stage_seconds",
            "Seconds of the parts of a recommendation",
            ["stage"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.degraded = Counter(
            "recsys_gateway_degraded",
            "Recommendations of which something came from a fallback, by what",
            ["rung"],
            registry=self.registry,
        )
        self.events = Counter(
            "recsys_gateway_events", "Events by what became of them", ["outcome"], registry=self.registry
        )
        self.in_flight = Gauge(
            "recsys_gateway_requests_in_flight", "Requests being answered", registry=self.registry
        )
        for rung in Degraded:
            self.degraded.labels(str(rung.name).lower())
        for outcome in ("accepted", "refused"):  # so that the first one counts as an increase
            self.events.labels(outcome)

    def count_degraded(self, degraded: Degraded) -> None:
        """Count an answer under each fallback that it used.

        Args:
            degraded: Its bits.
        """
        for rung in degraded:
            self.degraded.labels(str(rung.name).lower()).inc()
