"""How long a replica works on a request: read from a measurement."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recsys.errors import BadData

_Z95, _Z99 = 1.6448536, 2.3263479  # standard normal quantiles


class ServiceProfile(BaseModel):
    """Service times and slots of one replica.

    A request waits for a free slot, holds it for its service time, and takes `overhead_ms` more that
    hold no slot (network, steps that run beside one another). With `sharing` none waits: of more requests
    than slots each is served at an equal part of the slots' speed, as on cores that all models share.
    Service times are drawn from `samples_ms` where given, else from the log-normal distribution with the
    given quantiles.

    Attributes:
        p50_ms: Median service time of a request that waits for nothing.
        p95_ms: Its 95th percentile.
        p99_ms: Its 99th percentile.
        samples_ms: Measured service times.
        slots: Requests (or batches) that a replica works on at once; with `sharing` any number from 1 on.
        sharing: Whether requests share the slots rather than wait for one.
        queue_share: Part of the time that a request loses to others which the models' queues show, and with
            them the autoscaler's metric; what is left shows as slower models.
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
    slots: float = Field(1, ge=1)
    sharing: bool = False
    queue_share: float = Field(1.0, ge=0, le=1)
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
        if self.sharing and self.batch_max > 1:
            raise ValueError("sharing and batch_max exclude each other")
        if not self.sharing and self.slots != int(self.slots):
            raise ValueError("slots must be whole, or shared")
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
    from recsys.capacity.measured import profile_of

    try:
        document = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadData(
            str(path), f"is not JSON ({error})", "Give what `recsys bench serving --json` printed"
        ) from error
    try:
        if isinstance(document, dict) and "runs" in document:
            return profile_of(document["runs"], str(path))
        return ServiceProfile.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        cause = f"{place}: {first['msg']}" if place else first["msg"]
        raise BadData(str(path), cause, "See docs/capacity.md for the form of a profile") from error
