"""The queues of all replicas, request by request: first come, first served, or all at once and slower."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from recsys.capacity import sharing
from recsys.capacity.profile import ServiceProfile


@dataclass(frozen=True)
class Served:
    """Requests that left the queues; float64 [n] each, in seconds, bool [n] where said.

    Attributes:
        arrival: When they came.
        wait: How long they waited for a slot, or were slowed down by others; the patience where they were
            refused.
        latency: From arrival to answer; the patience where they were refused.
        work: How long each kept a slot busy, a batch's time shared among its requests; 0 where refused.
        refused: bool, left without an answer since they would have waited longer than the patience.
    """

    arrival: np.ndarray
    wait: np.ndarray
    latency: np.ndarray
    work: np.ndarray
    refused: np.ndarray


class Queues:
    """One queue and `profile.slots` slots for each replica.

    A request that would wait longer than the patience is refused and takes no service: with first come,
    first served that changes nobody else's wait, whether it leaves at once or when its patience ends. Where
    slots are shared nobody knows that beforehand: one is refused that finds as many in service as a replica
    answers within the patience, and one that takes longer counts as refused and is served all the same.

    Args:
        profile: Service times.
        replicas: Most replicas there may be; they are numbered from 0.
        patience_s: Longest wait in seconds.
        rng: Where service times are drawn from.
    """

    def __init__(
        self, profile: ServiceProfile, replicas: int, patience_s: float, rng: np.random.Generator
    ) -> None:
        self.profile = profile
        self.patience_s = patience_s
        self._rng = rng
        self._free_at = np.zeros((replicas, int(profile.slots)))
        self._since = 0.0
        self._left = np.empty(0)  # of a service, where slots are shared
        self._begun = np.empty(0, bool)
        self._arrival = np.empty(0)
        self._service = np.empty(0)
        self._replica = np.empty(0, np.int16)  # NumPy sorts 16 bits by radix

    @property
    def waiting(self) -> int:
        """Requests that were offered and have not left a queue."""
        return len(self._arrival)

    def open(self, replica: int, at_s: float) -> None:
        """A replica begins, with idle slots."""
        self._free_at[replica] = at_s

    def offer(self, arrival: np.ndarray, replica: np.ndarray) -> None:
        """Requests arrive.

        Args:
            arrival: float64 [n], rising, none before those offered earlier.
            replica: int64 [n], whose queue each joins.
        """
        self._arrival = np.concatenate([self._arrival, arrival])
        service = self.profile.draw(len(arrival), self._rng)
        self._service = np.concatenate([self._service, service])
        self._left = np.concatenate([self._left, service])
        self._begun = np.concatenate([self._begun, np.zeros(len(arrival), bool)])
        self._replica = np.concatenate([self._replica, replica.astype(np.int16)])

    def drop(self, replica: int) -> int:
        """A replica ends; how many requests waited there and are lost."""
        kept = self._replica != replica
        self._keep(kept)
        return int(len(kept) - kept.sum())

    def advance(self, until_s: float) -> Served:
        """Serve what can begin, or where slots are shared end, before a time.

        Args:
            until_s: No arrival before it may be offered later.
        """
        order = np.argsort(self._replica, kind="stable")  # within a replica they stand in order of arrival
        bounds = np.searchsorted(self._replica[order], np.arange(len(self._free_at) + 1))
        serve = self._share if self.profile.sharing else self._in_turn
        served, gone = serve(order, bounds, float(until_s))
        kept = np.empty(len(order), bool)
        kept[order] = ~gone
        self._keep(kept)
        return served

    def _in_turn(self, order: np.ndarray, bounds: np.ndarray, until_s: float) -> tuple[Served, np.ndarray]:
        arrival, service = self._arrival[order], self._service[order]
        begin, end = np.full(len(order), np.nan), np.full(len(order), np.nan)
        work = np.zeros(len(order))
        _kernel()(
            arrival,
            service,
            bounds,
            self._free_at,
            until_s,
            self.patience_s,
            self.profile.batch_max,
            self.profile.batch_fixed_share,
            begin,
            end,
            work,
        )
        left = ~np.isnan(begin)
        refused = left & np.isnan(end)
        wait = np.where(refused, self.patience_s, begin - arrival)
        latency = np.where(refused, self.patience_s, end - arrival + self.profile.overhead_ms / 1e3)
        return Served(arrival[left], wait[left], latency[left], work[left], refused[left]), left

    def _share(self, order: np.ndarray, bounds: np.ndarray, until_s: float) -> tuple[Served, np.ndarray]:
        arrival, service = self._arrival[order], self._service[order]
        remaining, begun = self._left[order], self._begun[order]
        end, refused = np.full(len(order), np.nan), np.zeros(len(order), bool)
        most = min(self.patience_s * self.profile.capacity_rps, 1e9)
        sharing.kernel()(
            arrival,
            remaining,
            begun,
            bounds,
            self._since,
            until_s,
            float(self.profile.slots),
            max(1, int(most)),
            end,
            refused,
        )
        self._left[order], self._begun[order], self._since = remaining, begun, until_s
        left = refused | ~np.isnan(end)
        work = np.where(refused, 0.0, service)  # what is late has been served for nothing
        lost = np.maximum(end - arrival - service, 0.0)
        refused |= lost > self.patience_s
        wait = np.where(refused, self.patience_s, lost)
        latency = np.where(refused, self.patience_s, end - arrival + self.profile.overhead_ms / 1e3)
        return Served(arrival[left], wait[left], latency[left], work[left], refused[left]), left

    def _keep(self, kept: np.ndarray) -> None:
        self._arrival, self._service = self._arrival[kept], self._service[kept]
        self._left, self._begun = self._left[kept], self._begun[kept]
        self._replica = self._replica[kept]


@cache
def _kernel() -> Any:
    """The compiled inner loop; compiled at first use, since that takes seconds."""
    import numba

    return numba.njit(_serve)


def _serve(  # noqa: PLR0917 (compiled: keywords would cost)
    arrival: np.ndarray,
    service: np.ndarray,
    bounds: np.ndarray,
    free_at: np.ndarray,
    until: float,
    patience: float,
    batch_max: int,
    fixed_share: float,
    begin: np.ndarray,
    end: np.ndarray,
    kept_busy: np.ndarray,
) -> None:
    """Walk every replica's requests in order; write when each begins and ends.

    A request that is refused has a `begin` and no `end`; one that does not begin before `until` has neither.
    """
    for replica in range(free_at.shape[0]):
        first, stop = bounds[replica], bounds[replica + 1]
        while first < stop:
            slot = np.argmin(free_at[replica])
            at = max(free_at[replica, slot], arrival[first])
            if at >= until:
                break  # those behind it begin no earlier
            if at - arrival[first] > patience:
                begin[first] = at
                first += 1
                continue
            last = first + 1
            while last < stop and last - first < batch_max and arrival[last] <= at:
                last += 1
            work = service[first] * (fixed_share + (1 - fixed_share) * (last - first))
            free_at[replica, slot] = at + work
            begin[first:last] = at
            end[first:last] = at + work
            kept_busy[first:last] = work / (last - first)
            first = last
