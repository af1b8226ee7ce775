"""Fault drill: what shoppers notice while parts of the system are paused, killed and corrupted.

    python -m recsys.online.drill --home var [--json]

It starts a system of its own on the home's current release, measures how much it can answer, then keeps
it at half of that while one fault follows another, and prints a table. The home should be a copy: clicks
are recorded in it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import numpy as np
import redis

from recsys.errors import BadUse, Unavailable
from recsys.local import process
from recsys.local.fill import write_features
from recsys.online import keys
from recsys.online.catalogue import Catalogues
from recsys.online.drill_load import Shoppers
from recsys.online.drill_report import Report, Row, is_answered, is_well, make_row, table
from recsys.online.drill_system import System
from recsys.online.popularity import Popularity
from recsys.online.precompute import known_users
from recsys.release.assemble import FEAST_DIR
from recsys.release.manifest import read_manifest
from recsys.release.store import ReleaseStore
from recsys.settings import PopularitySettings, Settings

_CALM_S: Final = 1.5  # without a degraded answer, after which a fault counts as overcome
_PATIENCE_S: Final = 20.0
_PROBE_S: Final = 3.0
_MOST_USERS: Final = 10_000
_WARM_UP_RPS: Final = 10.0
_DRAIN_S: Final = 60.0


def run(home: Path, rate: float | None = None, pause_s: float = 10.0) -> Report:
    """Run the drill.

    Args:
        home: Folder with a release; clicks are recorded in it.
        rate: Requests a second; half of what the system can answer if not given.
        pause_s: How long Valkey is paused.

    Raises:
        BadUse: The home has no current release.
        Unavailable: The system did not start.
    """
    _fill(home)
    # Counts that never fade, and places for all items, make every effect countable afterwards.
    counting = PopularitySettings(half_life_s=10**9, size=10**6)
    with System(home, Settings(popularity=counting)) as system, system.client() as client:
        catalogue = Catalogues(home / "releases").current()
        items = [] if catalogue is None else catalogue.item_ids.tolist()
        users = sorted(set(known_users(client)))[:_MOST_USERS]
        capacity = None if rate else _capacity(system, users, items)
        with Shoppers(system.url, system.token, users, items, rate or _WARM_UP_RPS):
            time.sleep(_PROBE_S)
        _wait_for_worker(client)
        client.delete(keys.POPULAR)
        chosen = rate or (capacity or 0) / 2
        rows = []
        for seed, (name, fault) in enumerate(faults(system, pause_s), start=1):
            before = _effects(client)
            with Shoppers(system.url, system.token, users, items, chosen, seed=seed) as shoppers:
                row = _observe(name, fault, shoppers)
            rows.append(_counted(row, shoppers, client, before))
    return Report(rows, capacity, chosen)


def faults(system: System, pause_s: float) -> list[tuple[str, Callable[[], None]]]:
    """The faults in their order; each returns when what it did is over.

    Args:
        system: What they happen to.
        pause_s: How long Valkey is paused.
    """

    def triton_process() -> process.Process | None:
        return system.triton.process if system.triton else None

    def restart_valkey() -> None:
        system.kill(system.valkey.process)
        time.sleep(1)
        system.valkey.start()

    def kill_worker() -> None:
        system.kill(system.worker)
        system.start_worker()

    def restart_triton() -> None:
        system.kill(triton_process())
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
        ("Triton paused 3 s", lambda: system.pause(triton_process(), 3)),
        ("Triton killed and restarted", restart_triton),
        ("Feast's registry corrupted", corrupt_registry),
    ]


def _fill(home: Path) -> None:
    """Write the features of a home that was never up, before anything reads them."""
    store = ReleaseStore(home / "releases")
    number = store.current()
    if number is None:
        raise BadUse(f"home {home}", "no current release", "Run `recsys pipeline run full --data DIR`")
    with System(home, start_serving=False) as system, system.client() as client:
        if not list(itertools.islice(known_users(client), 1)):
            release = store.path(number)
            write_features(system.settings, release / FEAST_DIR, read_manifest(release))


def _observe(name: str, fault: Callable[[], None], shoppers: Shoppers) -> Row:
    began, first = time.monotonic(), len(shoppers.asked)
    fault()
    ended = time.monotonic()
    while time.monotonic() < ended + _PATIENCE_S:
        time.sleep(0.1)
        last_bad = max((a.at + a.seconds for a in shoppers.asked[first:] if not is_well(a)), default=ended)
        if time.monotonic() > max(ended, last_bad) + _CALM_S:
            break
    return make_row(name, [asked for asked in shoppers.asked[first:] if asked.at >= began], ended)


def _capacity(system: System, users: Sequence[int], items: Sequence[int]) -> float:
    """Requests a second that are answered when many more are sent than can be."""
    rate = 10.0
    while True:
        with Shoppers(system.url, system.token, users, items, rate) as shoppers:
            time.sleep(_PROBE_S)
        late = np.mean([not is_answered(asked) for asked in shoppers.asked])
        if late > 0.01 or rate > 5_000:
            return rate / 1.5
        rate *= 1.5


def _wait_for_worker(client: redis.Redis) -> None:
    """Wait until clicks of the warm-up had their effect, so that they are not taken for later ones'."""
    deadline = time.monotonic() + 3 * _PATIENCE_S
    while time.monotonic() < deadline:
        if _is_drained(client):
            return
        time.sleep(0.2)
    raise Unavailable("drill", "the worker does not keep up with the warm-up's clicks", "See its log")


def _effects(client: redis.Redis) -> int:
    """How many clicks had their effect since the home was made."""
    popularity = Popularity(client, PopularitySettings(half_life_s=10**9))
    return round(float(popularity.top(n=10**6).counts.sum()))


def _counted(row: Row, shoppers: Shoppers, client: redis.Redis, before: int) -> Row:
    """A row with what became of its clicks, once all are applied."""
    accepted, clicked, deadline = len(shoppers.accepted), len(shoppers.clicked), time.monotonic() + _DRAIN_S
    total = _effects(client) - before
    while total < clicked and time.monotonic() < deadline:
        time.sleep(0.2)
        total = _effects(client) - before
        if total >= accepted and _is_drained(client):
            break
    lost, repeated = max(0, accepted - total), max(0, total - clicked)
    return replace(row, clicks=accepted, lost=lost, repeated=repeated)


def _is_drained(client: redis.Redis) -> bool:
    """Whether the worker has nothing left to do."""
    group = client.xinfo_groups(keys.EVENTS)[0]
    return not group["pending"] and not group.get("lag")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Fault drill on a copy of a home.")
    parser.add_argument("--home", type=Path, required=True, help="folder with a release")
    parser.add_argument("--rate", type=float, help="requests a second; half of the capacity if left out")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    report = run(given.home, given.rate)
    totals = {"clicks": report.clicks, "lost": report.lost, "repeated": report.repeated}
    print(json.dumps(asdict(report) | totals, indent=2) if given.json else table(report))


if __name__ == "__main__":
    main()
