"""How long a replica works on a request: read from a measurement."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recsys.errors import BadData

_Z95, _Z99 = 1.6448536, 2.3263479  # standard normal quantiles
_IDLE = 0.15  # share of the best throughput up to which requests hardly ever wait


class ServiceProfile(BaseModel):
    """Service times and slots of one replica.

    A request waits for a free slot, holds it for its service time, and takes `overhead_ms` more that
    hold no slot (network, steps that run beside one another). Service times are drawn from `samples_ms`
    where given, else from the log-normal distribution with the given quantiles.

    Attributes:
        p50_ms: Median service time of a request that waits for nothing.
        p95_ms: Its 95th percentile.
        p99_ms: Its 99th percentile.
        samples_ms: Measured service times.
        slots: Requests (or batches) that a replica works on at once.
        overhead_ms: Part of the latency that holds no slot.
        batch_max: Requests that are served together at most.
        batch_fixed_share: Part of a service time that a batch pays once; the rest is paid by each request.
        source: What was measured, in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    p50_ms: float = Field(0.0, ge=0)
    p95_ms: float = Field(0.0, ge=0)
    p99_ms: float = Field(0.0, ge=0)
    samples_ms: tuple[float, ...] = ()
    slots: int = Field(1, ge=1)
    overhead_ms: float = Field(0.0, ge=0)
    batch_max: int = Field(1, ge=1)
    batch_fixed_share: float = Field(0.0, ge=0, le=1)
    source: str = ""

    @model_validator(mode="after")
    def _usable(self) -> ServiceProfile:
        if self.samples_ms:
            if min(self.samples_ms) <= 0:
                raise ValueError("samples_ms must be positive")
        elif not 0 < self.p50_ms <= self.p95_ms <= self.p99_ms:
            raise ValueError("needs samples_ms, or 0 < p50_ms <= p95_ms <= p99_ms")
        return self

    @property
    def sigma(self) -> float:
        """Of the log-normal's logarithm: the mean of what p95 and p99 say."""
        log = math.log
        return (log(self.p95_ms / self.p50_ms) / _Z95 + log(self.p99_ms / self.p50_ms) / _Z99) / 2

    @property
    def mean_s(self) -> float:
        """Mean service time in seconds."""
        if self.samples_ms:
            return sum(self.samples_ms) / len(self.samples_ms) / 1e3
        return self.p50_ms * math.exp(self.sigma**2 / 2) / 1e3

    @property
    def capacity_rps(self) -> float:
        """Requests a second that one replica can serve at most, batches full."""
        shared = self.batch_fixed_share + (1 - self.batch_fixed_share) * self.batch_max
        return self.slots * self.batch_max / (self.mean_s * shared)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Service times in seconds, float64 [count]."""
        if self.samples_ms:
            return rng.choice(np.asarray(self.samples_ms) / 1e3, count)
        return np.asarray(self.p50_ms / 1e3 * np.exp(self.sigma * rng.standard_normal(count)))


def load_profile(path: Path) -> ServiceProfile:
    """A profile from JSON: its own form, or what `recsys bench serving --json` prints.

    Raises:
        BadData: The file is not JSON, or neither form.
    """
    try:
        document = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadData(
            str(path), f"is not JSON ({error})", "Give what `recsys bench serving --json` printed"
        ) from error
    try:
        if isinstance(document, dict) and "runs" in document:
            return _from_bench(document["runs"], str(path))
        return ServiceProfile.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        cause = f"{place}: {first['msg']}" if place else first["msg"]
        raise BadData(str(path), cause, "See docs/capacity.md for the form of a profile") from error


def _from_bench(runs: list[dict[str, Any]], source: str) -> ServiceProfile:
    """A profile from runs of one variant, one user a request.

    The latency L of requests that wait for nothing is service and overhead: that of the slowest open loop
    where it is slow enough, since requests at random moments find colder caches than those of one caller
    who asks again and again, else that of concurrency 1. The best throughput X of the closed loops bounds
    what slots do: by Little's law X·L requests are being served then, so there are floor(X·L) slots, each
    held for slots/X; what is left of L holds no slot.
    """
    runs = [run for run in runs if run.get("rows", 1) == 1]
    variants = [run.get("variant") for run in runs]
    variant = "ensemble" if "ensemble" in variants else next(iter(variants), None)
    closed = [run for run in runs if run.get("variant") == variant and run.get("concurrency")]
    opened = [run for run in runs if run.get("variant") == variant and run.get("rate")]
    try:
        best = max((float(run["throughput_rps"]) for run in closed), default=0.0)
        idle = [run for run in opened if run["rate"] <= _IDLE * best]
        single = [run for run in closed if run["concurrency"] == 1]
        alone = min(idle, key=lambda run: float(run["rate"])) if idle else single[0] if single else None
        if alone is None:
            raise BadData(source, "holds no run at concurrency 1", "Measure one: it tells the service time")
        p50, p95, p99 = (float(alone[f"p{part}_ms"]) for part in (50, 95, 99))
    except KeyError as error:
        fix = "Measure again with `recsys bench serving --json`"
        raise BadData(source, f"a run lacks {error}", fix) from error
    slots = max(1, int(best * p50 / 1e3))
    share = min(1.0, slots / best * 1e3 / p50)
    return ServiceProfile(
        p50_ms=p50 * share,
        p95_ms=p95 * share,
        p99_ms=p99 * share,
        slots=slots,
        overhead_ms=p50 * (1 - share),
        source=f"{source}, {variant}: {p50:.1f} ms alone, {best:.0f} requests/s at best",
    )
