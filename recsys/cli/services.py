"""`recsys up`, `down` and `status`: the services on this machine."""

from __future__ import annotations

import signal
import threading
from typing import Annotated, Any

import typer

from recsys.cli.options import Json
from recsys.cli.output import messages, print_json, results, table
from recsys.cli.steps import Steps
from recsys.settings import get_settings

_COLOURS = {"ready": "green", "starting": "yellow", "failed": "red", "stopped": "dim"}


def up(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, restart what ends, stop all on Ctrl-C.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch/--no-watch", help="Leave a watcher that restarts what ends.")
    ] = True,
    json: Json = False,
) -> None:
    """Start all services and return when they are ready; they go on running, and what ends is restarted."""
    start(Steps(), watch=watch and not foreground)
    if json:
        print_json(document())
    else:
        _show(document())
    if foreground:
        _stay()


def down() -> None:
    """Stop all services."""
    from recsys.local import watcher
    from recsys.local.services import supervisor

    watcher.stop(get_settings().home)
    supervisor(get_settings()).down(lambda name, event: messages.print(f"{name}: {event}"))


def status(json: Json = False) -> None:
    """Say what runs, where, and on which release."""
    if json:
        print_json(document())
    else:
        _show(document())


def start(steps: Steps, *, watch: bool = True) -> None:
    """Start what does not run, and show each service as a step.

    Args:
        steps: Where progress is shown.
        watch: Whether to leave a watcher that restarts what ends.

    Raises:
        RecsysError: There is no release yet, or a service cannot be started.
    """
    from recsys.local import watcher
    from recsys.local.services import require_release, supervisor

    settings = get_settings()
    require_release(settings)
    # One with other settings must not start anything in between.
    watcher.stop(settings.home)
    with steps.step("Services") as note:
        supervisor(settings).up(lambda name, event: note(f"{name}: {event}"))
    if watch:
        watcher.start(settings)


def document() -> dict[str, Any]:
    """The release and each service's state and addresses, as `recsys status --json` prints them."""
    from recsys.local import watcher
    from recsys.local.services import supervisor

    settings = get_settings()
    at_work = supervisor(settings)
    watched = watcher.is_watching(settings.home)
    return {"release": at_work.release, "watched": watched, "services": at_work.status()}


def _show(found: dict[str, Any]) -> None:
    rows = []
    for name, entry in found["services"].items():
        addresses = {key: value for key, value in entry.items() if key not in ("state", "pid", "log")}
        where = "\n".join(f"{key} {value}" for key, value in addresses.items())
        colour = _COLOURS[entry["state"]]
        rows.append((name, f"[{colour}]{entry['state']}[/]", str(entry.get("pid", "")), where))
    heading = f"Release {found['release']}" if found["release"] else "No release yet"
    if found["watched"]:
        heading += ", what ends is restarted"
    results.print(table(heading, ("service", "state", "pid", "where"), rows, right=("pid",)))


def _stay() -> None:
    """Watch until Ctrl-C or SIGTERM, then stop all."""
    from recsys.local.services import supervisor

    at_work = supervisor(get_settings())
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    messages.print("Ctrl-C stops all.")
    at_work.watch(lambda name, event: messages.print(f"{name}: {event}"), ended.is_set)
    at_work.down(lambda name, event: messages.print(f"{name}: {event}"))
