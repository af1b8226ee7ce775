"""Where requests go, and the processes that work for the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from recsys.bench import machine, statistics
from recsys.bench.statistics import ModelCounts, Stages
from recsys.serving.graph import ENSEMBLE


@dataclass(frozen=True)
class Target:
    """A server that is measured.

    Attributes:
        address: `host:port` that requests go to.
        driver: How they are sent: grpc to a Triton, http to a gateway.
        triton: `host:port` of the gRPC service of the Triton behind it, which counts what it does.
        groups: Process groups that work for it, by name; none where they are not ours.
        token: API key of a gateway.
    """

    address: str
    driver: Literal["grpc", "http"]
    triton: str
    groups: Mapping[str, int] = field(default_factory=dict)
    token: str = ""


@dataclass(frozen=True)
class Reading:
    """What a target has done so far.

    Attributes:
        counts: Triton's counters.
        cpu_s: CPU seconds of each of its process groups.
    """

    counts: dict[str, ModelCounts]
    cpu_s: dict[str, float]

    @classmethod
    def of(cls, target: Target) -> Reading:
        """Read now.

        Raises:
            Unavailable: Triton did not answer.
        """
        groups = target.groups.items()
        cpu_s = {name: machine.cpu_s(machine.group_members(group)) for name, group in groups}
        return cls(statistics.fetch(target.triton), cpu_s)

    def stages_since(self, before: Reading) -> Stages:
        """See `recsys.bench.statistics.since`."""
        return statistics.since(before.counts, self.counts)

    def cpu_ms_since(self, before: Reading) -> dict[str, float]:
        """CPU milliseconds that a user's answer cost each process group, warm-up included.

        Empty where no user was answered.
        """
        users = self._users() - before._users()
        if not users:
            return {}
        return {
            name: round((spent - before.cpu_s[name]) * 1e3 / users, 4) for name, spent in self.cpu_s.items()
        }

    def _users(self) -> int:
        return self.counts.get(ENSEMBLE, ModelCounts()).rows
