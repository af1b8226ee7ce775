"""Prometheus metrics of a trial."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)
_SHARES = tuple(step / 10 for step in range(11))
_SHIFTS = (-0.5, -0.2, -0.1, -0.05, -0.02, 0.0, 0.02, 0.05, 0.1, 0.2, 0.5)


class TrialMetrics:
    """One set of metrics.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.copies = Counter(
            "recsys_shadow_copies", "Requests copied to the challenger", ["outcome"], registry=registry
        )
        self.overlap = Histogram(
            "recsys_shadow_overlap",
            "Share of the first ten items that both releases answer",
            buckets=_SHARES,
            registry=registry,
        )
        self.shift = Histogram(
            "recsys_shadow_score_shift",
            "How much higher the challenger's ten best scores are on average",
            buckets=_SHIFTS,
            registry=registry,
        )
        self.seconds = Histogram(
            "recsys_shadow_seconds",
            "Seconds to the answer of a copied request",
            ["release"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.canary = Counter(
            "recsys_canary_answers", "Requests of the challenger's users", ["outcome"], registry=registry
        )
        self.exposures = Counter("recsys_exposures", "Answers noted for the comparison", registry=registry)
        for outcome in ("answered", "failed", "dropped"):  # so that the first one counts as an increase
            self.copies.labels(outcome)
        for outcome in ("answered", "failed"):
            self.canary.labels(outcome)
        for release in ("served", "challenger"):
            self.seconds.labels(release)
