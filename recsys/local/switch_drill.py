"""Drill of switches: promotions and rollbacks under load, in a system of its own, every answer checked."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from recsys import valkey
from recsys.errors import BadUse
from recsys.local.fill import settings_at
from recsys.local.promotion import promote_here
from recsys.local.services import supervisor
from recsys.local.switch_load import Clients, Items
from recsys.local.switch_report import Switch, SwitchReport, report
from recsys.local.twin import publish_twin
from recsys.online.auth import create_key
from recsys.online.gateway_process import keys_path
from recsys.online.requests import Request
from recsys.release.answers import OwnAnswers, sample
from recsys.release.promote import Promotion
from recsys.release.store import ReleaseStore
from recsys.schema import NO_ITEM
from recsys.settings import Settings

_QUESTIONS: Final = 48
_QUIET: Final = 0.2
"""Share of the time before the first switch."""
_WARM_S: Final = 2.0
_REST_S: Final = 2.0
"""Least time between two switches, without which there would be nothing quiet to compare with."""
_TOP_K: Final = 10
_DEADLINE_S: Final = 10.0
"""The gateway's, so that what is slow shows as slow and not as an answer from a fallback."""
_VALKEY_S: Final = 2.0
"""Time limits of the stages' questions to Valkey, for the same reason."""

Note = Callable[[str], object]


def run(
    settings: Settings,
    *,
    seconds: float = 180.0,
    switches: int = 20,
    clients: int = 8,
    releases: tuple[int, int] | None = None,
    note: Note = lambda _: None,
) -> SwitchReport:
    """Promote one release and roll back to the other, in turn, while clients ask.

    The system is started in a folder of its own with copies of the two releases; the given home is only read.

    Args:
        settings: Home with at least one release, replicas, widths.
        seconds: How long clients ask at least.
        switches: Promotions and rollbacks, together.
        clients: Who ask at the same time.
        releases: The one to begin with and the one to promote; by default the current release and its twin.
        note: Told what happens.

    Raises:
        RecsysError: The system does not start, or a switch failed.
    """
    with tempfile.TemporaryDirectory(prefix="recsys-drill-") as folder:
        home = Path(folder)
        first, second = _copy_releases(settings.home / "releases", home, releases)
        own_system = on_own_ports(settings, home)
        with _running(own_system, note) as (address, valkey_url, token):
            there = settings_at(own_system, valkey_url)
            questions = sample(home / "releases" / str(first), int(time.time()), _QUESTIONS)
            own = {number: own_answers(there, number, questions) for number in (first, second)}
            with operator() as promoting, Clients(address, token, questions, clients, _TOP_K) as asking:
                time.sleep(_WARM_S)
                begun = len(asking.told)
                done = _switch(
                    lambda number: promoting.submit(promote_here, there, number, fill=False).result(),
                    (first, second),
                    seconds,
                    switches,
                    note,
                )
            return report(asking.told[begun:], done, own)


def own_answers(settings: Settings, number: int, questions: Sequence[Request]) -> list[Items]:
    """What a release answers to each question by itself, as far as a shop sees it.

    Args:
        settings: Home, widths and Valkey.
        number: The release.
        questions: What is asked.
    """
    client = valkey.connect(settings.valkey.model_copy(update={"timeout_s": 5.0}))
    try:
        with OwnAnswers(settings.home / "releases" / str(number), settings, client) as release:
            answers = [release.answer(each) for each in questions]
    finally:
        client.close()
    return [_seen(each["ordered_ids"][0], each["ordered_scores"][0]) for each in answers]


def _seen(ids: np.ndarray, scores: np.ndarray) -> Items:
    held = ids != NO_ITEM
    return tuple(ids[held][:_TOP_K].tolist()), tuple(scores[held][:_TOP_K].tolist())


@contextmanager
def operator() -> Iterator[ProcessPoolExecutor]:
    """Who switches: a process of its own, as a command is, that does not hold up the clients' threads."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as one:
        one.submit(_come).result()
        yield one


def _come() -> None:
    """Nothing; but whoever is asked for it has started and imported this module."""


def _switch(
    promote: Callable[[int], Promotion | None],
    releases: tuple[int, int],
    seconds: float,
    switches: int,
    note: Note,
) -> list[Switch]:
    """Switch there and back, evenly over what is left after a quiet beginning, or as fast as it goes."""
    begun = time.monotonic()
    done: list[Switch] = []
    quiet, pause = _QUIET * seconds, (1 - _QUIET) * seconds / max(1, switches)
    for place in range(switches):
        _sleep_until(max(begun + quiet + place * pause, done[-1].ended + _REST_S if done else 0.0))
        back = place % 2 == 1
        number = releases[0] if back else releases[1]
        at = time.monotonic()
        found = promote(number)
        done.append(Switch(number, back, at, time.monotonic(), found.seconds if found else {}))
        note(f"{place + 1} of {switches}: release {number} after {done[-1].seconds:.1f} s")
    _sleep_until(begun + seconds)
    return done


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


@contextmanager
def _running(settings: Settings, note: Note) -> Iterator[tuple[str, str, str]]:
    """The system; gives the gateway's address, Valkey's URL and an API key."""
    at_work = supervisor(settings)
    token = create_key(keys_path(settings), name="drill")
    try:
        at_work.up(lambda name, event: _tell(note, f"{name}: {event}"))
        found = at_work.status()
        yield found["gateway"]["http"], found["valkey"]["url"], token
    finally:
        at_work.down()


def _tell(note: Note, text: str) -> None:
    note(text)


def on_own_ports(settings: Settings, home: Path) -> Settings:
    """The settings for a system beside others: another home, any ports, two Tritons, all of them patient.

    Args:
        settings: Everything else.
        home: Its folder.
    """
    serving = {"http_port": 0, "grpc_port": 0, "metrics_port": 0}
    serving["replicas"] = max(2, settings.serving.replicas)
    own_valkey = {"url": "redis://127.0.0.1:0/0", "timeout_s": _VALKEY_S, "connect_timeout_s": _VALKEY_S}
    return settings.model_copy(
        update={
            "home": home,
            "serving": settings.serving.model_copy(update=serving),
            # One key sends all of the load; a shop's limit would be what is measured.
            "gateway": settings.gateway.model_copy(
                update={"port": 0, "deadline_s": _DEADLINE_S, "rate_per_s": 1e6, "burst": 10**6}
            ),
            "worker": settings.worker.model_copy(update={"metrics_port": 0}),
            "valkey": settings.valkey.model_copy(update=own_valkey),
        }
    )


def _copy_releases(source: Path, home: Path, wanted: tuple[int, int] | None) -> tuple[int, int]:
    """Bring the two releases into the drill's own home; links, where the file system allows."""
    store, own = ReleaseStore(source), ReleaseStore(home / "releases")
    current = store.current()
    if current is None:
        raise BadUse(str(source), "no release is current", "Make one with `recsys pipeline run full`")
    for number in wanted or (current,):
        shutil.copytree(store.path(number), own.root / str(number), copy_function=_link)
    first = wanted[0] if wanted else current
    second = wanted[1] if wanted else publish_twin(own, current, home / "twin")
    own.set_current(first)
    return first, second


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
    return target
