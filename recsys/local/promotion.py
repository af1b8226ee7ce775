"""Promotion on this machine: the Triton servers that `recsys up` started, and what it noted about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from recsys import valkey
from recsys.errors import RecsysError
from recsys.index.triton_part import require_parts
from recsys.local.fill import fill_features, settings_at
from recsys.local.service import Context
from recsys.local.state import Running, StateFile
from recsys.online import trial
from recsys.release.answers import OwnAnswers
from recsys.release.checks import check
from recsys.release.promote import Promoter, Promotion, Report, silent
from recsys.release.replica import LocalFiles, Replica
from recsys.release.store import ReleaseStore
from recsys.release.warm_up import requests_for
from recsys.serving.control import Control
from recsys.serving.gently import gently
from recsys.settings import Settings

_TIMEOUT_S: Final = 5.0


def replicas(settings: Settings, running: dict[str, Running]) -> list[Replica]:
    """The Triton servers of a home that run now.

    Args:
        settings: Home, variant and widths.
        running: What the home's state file holds.
    """
    home = settings.home.resolve()
    return [
        Replica(
            name,
            Control(entry.endpoints["http"], timeout_s=settings.promotion.load_s),
            LocalFiles(home / name / "models", home / "releases", settings.serving),
            settings.serving.variant,
        )
        for name, entry in running.items()
        if name.startswith("triton") and entry.process.alive()
    ]


def promote_here(
    settings: Settings, number: int, report: Report = silent, *, fill: bool = True
) -> Promotion | None:
    """Serve a release on this machine, without a request failing where servers run already.

    Args:
        settings: Home and the promotion's own.
        number: The release.
        report: Told what happens, by replica.
        fill: Whether features of the release's items and users go to Valkey first; not when going back.

    Returns:
        What was done; None where no Triton runs, so that only the pointer moved.

    Raises:
        RecsysError: The release is refused or a replica failed; what was served still is.
    """
    store = ReleaseStore(settings.home / "releases")
    current = store.current()
    # The new release's models run here too. Shoppers go first, but for going back: that is urgent.
    niceness = 0 if current is not None and number < current else settings.serving.load_nice
    gently(lambda: check(store, number), niceness)
    require_parts(settings.serving, number)
    return _with_running(
        settings,
        number,
        report,
        fill=fill,
        niceness=niceness,
        bring=lambda promoter, compare: promoter.promote(number, compare, lambda: store.set_current(number)),
        without=lambda: store.set_current(number),
    )


def follow(settings: Settings, report: Report = silent) -> Promotion | None:
    """Have running servers serve the release that a pipeline has made current.

    Args:
        settings: Home and the promotion's own.
        report: Told what happens, by replica.

    Returns:
        What was done; None where no Triton runs, or all serve it already.

    Raises:
        RecsysError: It cannot be served; what was served still is, and the pointer says so again.
    """
    store = ReleaseStore(settings.home / "releases")
    current = store.current()
    serving = {one.layout().ensemble for one in replicas(settings, StateFile(settings.home).read())}
    if current is None or serving <= {current}:
        return None
    try:
        return promote_here(settings, current, report)
    except RecsysError:
        store.set_current(min(serving))
        raise


def challenge_here(settings: Settings, number: int, report: Report = silent) -> Promotion | None:
    """Load a release beside the served one on this machine's servers.

    Returns:
        What was done; None where no Triton runs.

    Raises:
        RecsysError: The release is refused or a replica failed; nothing has changed.
    """
    niceness = settings.serving.load_nice
    gently(lambda: check(ReleaseStore(settings.home / "releases"), number), niceness)
    require_parts(settings.serving, number)
    return _with_running(
        settings,
        number,
        report,
        fill=True,
        niceness=niceness,
        bring=lambda promoter, compare: promoter.challenge(number, compare),
        without=lambda: None,
    )


def withdraw_here(settings: Settings, report: Report = silent) -> Promotion | None:
    """Unload the challenger on this machine's servers; None where no Triton runs."""
    state = StateFile(settings.home)
    with state.locked():
        found = replicas(settings, state.read())
        return _promoter(settings, found, report).withdraw() if found else None


def _with_running(
    settings: Settings,
    number: int,
    report: Report,
    *,
    fill: bool,
    niceness: int,
    bring: Callable[[Promoter, Callable[[Replica], None]], Promotion],
    without: Callable[[], None],
) -> Promotion | None:
    state = StateFile(settings.home)
    with state.locked():
        running = state.read()
        found = replicas(settings, running)
        if not found:
            without()
            return None
        url = running["valkey"].endpoints["url"]
        if fill:
            endpoints = {name: entry.endpoints for name, entry in running.items()}
            context = Context(
                settings.model_copy(update={"home": settings.home.resolve()}), number, endpoints
            )
            fill_features(context, lambda event: report("valkey", event), fresh=False)
        reachable = settings_at(settings, url)
        client = valkey.connect(reachable.valkey.model_copy(update={"timeout_s": _TIMEOUT_S}))
        folder = settings.home / "releases" / str(number)
        try:
            # A trial that went on would answer its users from whatever is loaded beside the served release.
            trial.stop(client)
            requests = requests_for(client, folder, settings.promotion.requests)
            tolerance = settings.promotion.tolerance
            with gently(lambda: OwnAnswers(folder, reachable, client, tolerance), niceness) as own:
                done = bring(
                    _promoter(settings, found, report),
                    lambda one: gently(lambda: own.compare(one, requests), niceness),
                )
        finally:
            client.close()
        serving = {one.name: one.layout().ensemble for one in found}
        state.write({name: _noted(entry, serving.get(name)) for name, entry in running.items()})
    return done


def _promoter(settings: Settings, found: list[Replica], report: Report) -> Promoter:
    promotion = settings.promotion
    return Promoter(lambda: found, promotion.at_once, promotion.drain_s, promotion.standby, report)


def _noted(entry: Running, release: int | None) -> Running:
    """So that the next `recsys up` finds the servers on the release that they serve."""
    return entry if release is None else replace(entry, release=release)
