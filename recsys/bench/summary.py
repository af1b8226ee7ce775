"""One variant in one cell over all rounds, as it is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from recsys.bench.cell import Cell, Outcome
from recsys.bench.latency import summarise
from recsys.bench.statistics import Stages


@dataclass
class Run:
    """A variant in a cell.

    Attributes:
        variant: Which.
        cell: How requests were sent.
        driver: What sent them.
        outcomes: One a round.
        stages: Of the last round, what Triton counted; see `recsys.bench.statistics.since`.
    """

    variant: str
    cell: Cell
    driver: str = "grpc"
    outcomes: list[Outcome] = field(default_factory=list)
    stages: Stages = field(default_factory=list)

    def add(self, outcome: Outcome, stages: Stages) -> None:
        """Take in a round."""
        self.outcomes.append(outcome)
        self.stages = stages

    @property
    def requests_per_s(self) -> float:
        """Answers a second, over all rounds."""
        return _rate(self.outcomes)

    def to_json(self) -> dict[str, Any]:
        """As reported: latencies of all rounds pooled, CPU steal and load their means."""
        outcomes = self.outcomes
        pooled = [value for outcome in outcomes for value in outcome.latencies_ms]
        memory = [outcome.pss_mb for outcome in outcomes if outcome.pss_mb is not None]
        return {
            "variant": self.variant,
            "driver": self.driver,
            "mode": self.cell.mode,
            "concurrency": self.cell.concurrency,
            "rows": self.cell.rows,
            "rate": round(_mean([outcome.rate for outcome in outcomes]), 1),
            "share": self.cell.share,
            "requests": len(pooled),
            "failed": sum(outcome.failed for outcome in outcomes),
            "degraded": sum(outcome.degraded for outcome in outcomes),
            **summarise(pooled),
            "throughput_rps": round(self.requests_per_s, 2),
            "users_per_s": round(self.requests_per_s * self.cell.rows, 1),
            "rounds_p50_ms": [summarise(outcome.latencies_ms)["p50_ms"] for outcome in outcomes],
            "steal_percent": _mean([outcome.steal_percent for outcome in outcomes]),
            "rounds_steal_percent": [outcome.steal_percent for outcome in outcomes],
            "busy_percent": _mean([outcome.busy_percent for outcome in outcomes]),
            "load_average": _mean([outcome.load_average for outcome in outcomes]),
            "sender_cpu_percent": _mean([outcome.sender_cpu_percent for outcome in outcomes]),
            "cpu_ms": (spent := self._cpu_ms()),
            "servers_cpu_ms": round(sum(spent.values()), 3) if spent else None,
            "pss_mb": max(memory) if memory else None,
            "stages": self.stages,
        }

    def _cpu_ms(self) -> dict[str, float]:
        """By who worked, the mean over rounds."""
        spent = [outcome.cpu_ms for outcome in self.outcomes if outcome.cpu_ms]
        return {name: round(fmean(each[name] for each in spent), 3) for name in (spent[0] if spent else {})}


def best_rate(runs: Sequence[Run]) -> float:
    """The most requests a second that closed loops with one user a request reached in their last round.

    Args:
        runs: Of one variant.

    Returns:
        0 without any.
    """
    closed = [run for run in runs if run.cell.mode == "closed" and run.cell.rows == 1 and run.outcomes]
    return max((_rate(run.outcomes[-1:]) for run in closed if run.driver != "perf_analyzer"), default=0.0)


def _rate(outcomes: Sequence[Outcome]) -> float:
    seconds = sum(outcome.seconds for outcome in outcomes)
    return sum(len(outcome.latencies_ms) for outcome in outcomes) / seconds if seconds else 0.0


def _mean(values: Sequence[float]) -> float:
    return round(fmean(values), 2) if values else 0.0
