"""`recsys release`: a challenger beside the served release, its answers, and which is better."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli.options import Json
from recsys.cli.output import print_json, results, table
from recsys.cli.steps import Steps
from recsys.errors import BadUse
from recsys.settings import Settings, get_settings

if TYPE_CHECKING:
    import redis

    from recsys.online.exposures import Exposure
    from recsys.release.compare import Clicks
    from recsys.release.explored import FirstPlaces

_TIMEOUT_S = 5.0


def parse_share(text: str) -> float:
    """A share such as `10%` or `0.1`.

    Raises:
        BadUse: It is none.
    """
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as error:
        raise BadUse(f"share {text!r}", "not a number", "Write 10% or 0.1") from error
    if not 0 <= value <= 1:
        raise BadUse(f"share {text!r}", "not between 0% and 100%", "Write 10% or 0.1")
    return value


def challenge(release: int, shadow: float, canary: float, *, json: bool) -> None:
    """Try a release beside the served one.

    Args:
        release: Its number.
        shadow: Share of requests that are copied to it.
        canary: Share of users whom it answers.
        json: Whether to print one JSON document.
    """
    from recsys.local.promotion import challenge_here
    from recsys.online import trial

    settings, tried = get_settings(), trial.Trial(release, shadow, canary)
    with Steps().step(f"Release {release} beside the served one") as note:
        done = challenge_here(settings, release, lambda name, event: note(f"{name}: {event}"))
    if done is None:
        raise BadUse("challenger", "no Triton runs here", "Start it with `recsys up`")
    with running_valkey(settings) as client:
        trial.start(client, tried)
    if json:
        print_json({**asdict(done), **asdict(tried)})
    else:
        results.print(
            f"Release {release} gets copies of {shadow:.0%} of requests and answers {canary:.0%} of users."
        )


def withdraw(json: Json = False) -> None:
    """End a trial and unload everything but what is served, the release on standby too."""
    from recsys.local.promotion import withdraw_here
    from recsys.online import trial

    settings = get_settings()
    with running_valkey(settings) as client:
        trial.stop(client)
    with Steps().step("Withdrawing") as note:
        done = withdraw_here(settings, lambda name, event: note(f"{name}: {event}"))
    if json:
        print_json({"release": done.release if done else None})
    else:
        results.print(f"Release {done.release} alone is loaded." if done else "No Triton runs here.")


def shadow(json: Json = False) -> None:
    """Report what the challenger answered to copies of requests, and how fast."""
    from recsys.online import shadow as copies
    from recsys.online import trial

    with running_valkey(get_settings()) as client:
        tried, found = trial.read(client), copies.read(client).means()
    document = {"trial": asdict(tried) if tried else None, **found}
    if json:
        print_json(
            {
                name: None if isinstance(value, float) and isnan(value) else value
                for name, value in document.items()
            }
        )
        return
    head = f"Release {tried.release}, {tried.shadow:.0%} of requests" if tried else "No trial under way"
    rows = [(name, f"{value:,.4g}") for name, value in found.items()]
    results.print(table(head, ("copies of requests", ""), rows, right=("",)))


def compare(
    first: Annotated[int, typer.Argument(min=1, help="The release compared with.", show_default=False)],
    second: Annotated[int, typer.Argument(min=1, help="The other one.", show_default=False)],
    window: Annotated[float, typer.Option(min=1, help="Minutes after an answer in which clicks count.")] = 30,
    events: Annotated[
        list[Path] | None,
        typer.Option(help="Parquet files of interactions to take clicks from, not the log.", metavar="FILE"),
    ] = None,
    json: Json = False,
) -> None:
    """Say which of two releases is better by what a canary's users clicked, with an interval."""
    settings = get_settings()
    if settings.events.log == "sqs" and not events:
        fix = "Give the interactions as files: --events day_12.parquet"
        raise BadUse("clicks", "the event log is SQS, which can be read but once", fix)
    from recsys.online import clicks, exposures
    from recsys.release.compare import compare as judge

    with running_valkey(settings) as client:
        shown = [each for each in exposures.read(client) if each.arm in (first, second)]
        begin, users = min((each.at_ms for each in shown), default=0), {each.user_id for each in shown}
        clicked = clicks.of_files(events, begin, users) if events else clicks.since(client, begin, users)
    found = judge(shown, clicked, first, second, window_s=window * 60)
    explored = _explored(shown, clicked, (first, second), window * 60)
    if json:
        firsts = {str(release): asdict(each) for release, each in explored.items()}
        print_json({**asdict(found), "explored": firsts})
        return
    rows = [
        (str(arm.release), f"{arm.users:,}", f"{arm.exposures:,}", f"{arm.clicked:,}", f"{arm.rate:.2%}")
        for arm in (found.first, found.second)
    ]
    columns = ("release", "users", "answers", "clicked", "rate")
    results.print(table("Answers that led to a click", columns, rows, right=columns[1:]))
    results.print()
    verdict = f"Release {found.better} is better" if found.better else "Neither is better so far"
    interval = f"95 % interval {found.low:+.2%} to {found.high:+.2%} (bootstrap over users)"
    results.print(f"{verdict}: {found.difference:+.2%}, {interval}.")
    if explored:
        results.print()
        _show_explored(explored)


def _explored(
    shown: list[Exposure], clicked: Clicks, releases: tuple[int, int], window_s: float
) -> dict[int, FirstPlaces]:
    """What came of explored answers, of each release that has any."""
    from recsys.release.explored import explores, first_places, policy_log

    found = {}
    for release in releases:
        tried = [each for each in shown if each.arm == release and explores(each)]
        if tried:
            found[release] = first_places(policy_log(tried, clicked, window_s))
    return found


def _show_explored(explored: dict[int, FirstPlaces]) -> None:
    rows = [
        (
            str(release),
            f"{each.answers:,}",
            f"{each.rate:.2%}",
            f"{each.even:.2%} ({each.low:.2%} to {each.high:.2%})",
            f"{each.effective_answers:,.0f}",
        )
        for release, each in explored.items()
    ]
    columns = ("release", "explored", "first clicked", "drawn evenly (SNIPS)", "effective answers")
    results.print(table("First items of explored answers", columns, rows, right=columns[1:]))


@contextmanager
def running_valkey(settings: Settings) -> Iterator[redis.Redis]:
    """A client of the Valkey that this home runs, or of the settings' where none does."""
    from recsys import valkey
    from recsys.local.state import StateFile

    running: Any = StateFile(settings.home).read().get("valkey")
    update = {"timeout_s": _TIMEOUT_S} | ({"url": running.endpoints["url"]} if running else {})
    client = valkey.connect(settings.valkey.model_copy(update=update))
    try:
        yield client
    finally:
        client.close()
