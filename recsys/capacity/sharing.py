"""Processor sharing, compiled: a replica's requests are all served at once and slow each other down.

Up to `slots` requests run at full speed each; of more, each gets an equal part of the slots' speed. So a
replica behaves whose requests pass through many models on a few cores (M/G/c with processor sharing;
L. Kleinrock, Queueing Systems, Volume 2: Computer Applications, Wiley 1976, section 4.4).
"""

from __future__ import annotations

import heapq
from functools import cache
from typing import Any

import numpy as np


@cache
def kernel() -> Any:
    """The compiled `_share`; compiled at first use, since that takes seconds."""
    import numba

    return numba.njit(_share)


def _share(  # noqa: PLR0917 (compiled: keywords would cost)
    arrival: np.ndarray,
    left: np.ndarray,
    begun: np.ndarray,
    bounds: np.ndarray,
    since: float,
    until: float,
    slots: float,
    most: int,
    end: np.ndarray,
    refused: np.ndarray,
) -> None:
    """Serve every replica's requests from one time to another.

    Each request in service has a moment at which it will be done, on a clock that runs at the speed which
    each of them gets: so their order never changes, and a heap holds them.

    Args:
        arrival: float64 [n], by replica, and within one rising.
        left: float64 [n], service that each still needs, in seconds; brought up to date.
        begun: bool [n], whether each was in service at `since`; brought up to date.
        bounds: int64 [replicas + 1], where each replica's requests begin.
        since: Begin of the time.
        until: Its end.
        slots: Requests at full speed.
        most: Requests in service at which another is refused.
        end: float64 [n], written where a request is done.
        refused: bool [n], written where one is turned away.
    """
    for replica in range(len(bounds) - 1):
        served = [(0.0, 0)]
        served.pop()  # empty, and compiled as a list of such pairs
        clock, now, coming, stop = 0.0, since, bounds[replica], bounds[replica + 1]
        while True:
            speed = min(1.0, slots / max(len(served), 1))
            done = now + (served[0][0] - clock) / speed if len(served) > 0 else np.inf
            comes = np.inf
            if coming < stop:
                comes = since if begun[coming] else arrival[coming]
            if min(done, comes) >= until:
                break
            if done < comes:
                clock, request = heapq.heappop(served)
                now = end[request] = done
                continue
            clock += (comes - now) * speed
            now = comes
            if len(served) >= most and not begun[coming]:
                refused[coming] = True
            else:
                begun[coming] = True
                heapq.heappush(served, (clock + left[coming], coming))
            coming += 1
        for moment, request in served:  # only where the time has an end
            left[request] = moment - clock - (until - now) * speed
