"""Fault drill: what shoppers notice while parts of the system are paused, killed and corrupted.

    python -m recsys.online.drill --home var [--json]

It starts a system of its own on the home's current release, measures how much it can answer, then keeps
it at half of that while one fault follows another, and prints a table. The home should be a copy: clicks
are recorded in it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import redis

from recsys.errors import Unavailable
from recsys.online import keys
from recsys.online.catalogue import Catalogues
from recsys.online.drill_load import Asked, Shoppers
from recsys.online.drill_system import System
from recsys.online.popularity import Popularity
from recsys.online.precompute import known_users
from recsys.settings import PopularitySettings, Settings

LIMIT_S: Final = 0.5
"""An answer that takes longer counts as none."""

_CALM_S: Final = 1.5  # without a degraded answer, after which a fault counts as overcome
_PATIENCE_S: Final = 20.0
_PROBE_S: Final = 3.0


@dataclass(frozen=True)
class Row:
    """What one fault did.

    Attributes:
        fault: What was done.
        requests: Recommendations asked for, from the fault's start until all was well again.
        answered: Share answered with 200 and at least one item within `LIMIT_S`.
        failed: How many were not answered so at all, however late.
        p50_ms: Median time to the answer.
        p99_ms: 99th percentile.
        degraded: Share of answers of which something came from a fallback.
        recovered_s: Seconds from the fault's end to the last answer that was late, missing or degraded.
    """

    fault: str
    requests: int
    answered: float
    failed: int
    p50_ms: float
    p99_ms: float
    degraded: float
    recovered_s: float


@dataclass(frozen=True)
class Report:
    """A drill's result.

    Attributes:
        rows: One a fault, the first without any.
        capacity_rps: Requests a second that the system answered at most.
        rate_rps: Requests a second during the drill.
        clicks: Clicks that were accepted.
        lost: Accepted clicks without effect.
        repeated: Effects beyond one a click.
    """

    rows: list[Row]
    capacity_rps: float
    rate_rps: float
    clicks: int
    lost: int
    repeated: int


def run(home: Path, rate: float | None = None, pause_s: float = 10.0) -> Report:
    """Run the drill.

    Args:
        home: Folder with a release; clicks are recorded in it.
        rate: Requests a second; half of what the system can answer if not given.
        pause_s: How long Valkey is paused.

    Raises:
        Unavailable: The system did not start.
    """
    # Counts that never fade, and places for all items, make every effect countable afterwards.
    counting = PopularitySettings(half_life_s=10**9, size=10**6)
    with System(home, Settings(popularity=counting)) as system, system.client() as client:
        catalogue = Catalogues(home / "releases").current()
        items = [] if catalogue is None else catalogue.item_ids.tolist()
        users = sorted(set(known_users(client)))[:10_000] or list(range(1_000))
        capacity = _capacity(system, users, items)
        _wait_for_worker(client)
        client.delete(keys.POPULAR)
        with Shoppers(system.url, system.token, users, items, rate or capacity / 2, seed=1) as shoppers:
            rows = [_observe(name, fault, shoppers) for name, fault in faults(system, pause_s)]
        total = _drain(client, shoppers)
    return Report(
        rows,
        capacity,
        rate or capacity / 2,
        len(shoppers.accepted),
        max(0, len(shoppers.accepted) - total),
        max(0, total - len(shoppers.clicked)),
    )


def faults(system: System, pause_s: float) -> list[tuple[str, Callable[[], None]]]:
    """The faults in their order; each returns when what it did is over.

    Args:
        system: What they happen to.
        pause_s: How long Valkey is paused.
    """
    triton = system.triton

    def restart_valkey() -> None:
        system.kill(system.valkey.process)
        time.sleep(1)
        system.valkey.start()

    def kill_worker() -> None:
        system.kill(system.worker)
        system.start_worker()

    def restart_triton() -> None:
        system.kill(triton.process if triton else None)
        time.sleep(1)
        system.start_triton()

    def corrupt_registry() -> None:
        system.kill(system.worker)
        (system.home / "feast" / "registry.db").write_bytes(b"\xff not a registry \xff" * 100)
        system.start_worker()

    return [
        ("none", lambda: time.sleep(5)),
        (f"Valkey paused {pause_s:g} s", lambda: system.pause(system.valkey.process, pause_s)),
        ("Valkey killed and restarted", restart_valkey),
        ("worker killed", kill_worker),
        ("worker killed again", kill_worker),
        ("Triton killed and restarted", restart_triton),
        ("Feast's registry corrupted", corrupt_registry),
    ]


def table(report: Report) -> str:
    """The report for reading.

    Args:
        report: A drill's result.
    """
    lines = [
        f"{'fault':<30}{'requests':>9}{'answered':>10}{'failed':>8}{'p50':>8}{'p99':>8}{'degraded':>10}{'recovered':>11}"
    ]
    lines += [
        f"{row.fault:<30}{row.requests:>9}{row.answered:>10.2%}{row.failed:>8}{row.p50_ms:>5.0f} ms"
        f"{row.p99_ms:>5.0f} ms{row.degraded:>10.1%}{row.recovered_s:>9.1f} s"
        for row in report.rows
    ]
    load = report.rate_rps / report.capacity_rps
    lines.append(
        f"{report.rate_rps:.0f} requests/s, {load:.0%} of what it can answer; "
        f"{report.clicks} clicks accepted, {report.lost} lost, {report.repeated} counted twice"
    )
    return "\n".join(lines)


def _observe(name: str, fault: Callable[[], None], shoppers: Shoppers) -> Row:
    began, first = time.monotonic(), len(shoppers.asked)
    fault()
    ended = time.monotonic()
    while time.monotonic() < ended + _PATIENCE_S:
        time.sleep(0.1)
        last_bad = max((a.at + a.seconds for a in shoppers.asked[first:] if not _well(a)), default=ended)
        if time.monotonic() > max(ended, last_bad) + _CALM_S:
            break
    return _row(name, [asked for asked in shoppers.asked[first:] if asked.at >= began], ended)


def _row(name: str, asked: Sequence[Asked], ended: float) -> Row:
    seconds = np.array([each.seconds for each in asked]) * 1000
    return Row(
        fault=name,
        requests=len(asked),
        answered=float(np.mean([_answered(each) for each in asked])),
        failed=sum(each.status != 200 or not each.items for each in asked),
        p50_ms=float(np.percentile(seconds, 50)),
        p99_ms=float(np.percentile(seconds, 99)),
        degraded=float(np.mean([each.degraded != 0 for each in asked])),
        recovered_s=max([0.0, *(each.at + each.seconds - ended for each in asked if not _well(each))]),
    )


def _answered(asked: Asked) -> bool:
    return asked.status == 200 and asked.items > 0 and asked.seconds <= LIMIT_S


def _well(asked: Asked) -> bool:
    return _answered(asked) and not asked.degraded


def _capacity(system: System, users: Sequence[int], items: Sequence[int]) -> float:
    """Requests a second that are answered when many more are sent than can be; the first seconds warm up."""
    rate = 10.0
    while True:
        with Shoppers(system.url, system.token, users, items, rate) as shoppers:
            time.sleep(_PROBE_S)
        late = np.mean([not _answered(asked) for asked in shoppers.asked])
        if late > 0.01 or rate > 5_000:
            return rate / 1.5
        rate *= 1.5


def _wait_for_worker(client: redis.Redis) -> None:
    """Wait until clicks of the warm-up had their effect, so that they are not taken for later ones'."""
    deadline = time.monotonic() + 3 * _PATIENCE_S
    while time.monotonic() < deadline:
        group = client.xinfo_groups(keys.EVENTS)[0]
        if not group["pending"] and not group.get("lag"):
            return
        time.sleep(0.2)
    raise Unavailable("drill", "the worker does not keep up with the warm-up's clicks", "See its log")


def _drain(client: redis.Redis, shoppers: Shoppers) -> int:
    """How many effects the clicks had, once all are applied."""
    popularity = Popularity(client, PopularitySettings(half_life_s=10**9))
    total, deadline = 0, time.monotonic() + _PATIENCE_S
    while total < len(shoppers.clicked) and time.monotonic() < deadline:
        time.sleep(0.5)
        total = round(float(popularity.top(n=10**6).counts.sum()))
    return total


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Fault drill on a copy of a home.")
    parser.add_argument("--home", type=Path, required=True, help="folder with a release")
    parser.add_argument("--rate", type=float, help="requests a second; half of the capacity if left out")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    report = run(given.home, given.rate)
    print(json.dumps(asdict(report), indent=2) if given.json else table(report))


if __name__ == "__main__":
    main()
