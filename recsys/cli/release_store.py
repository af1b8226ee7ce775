"""`recsys release prune|verify|report|track`: looking after the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import Json
from recsys.cli.output import messages, print_json, results
from recsys.errors import BadUse
from recsys.settings import get_settings

AnyNumber = Annotated[
    int | None, typer.Argument(min=1, help="Release number; left out: all.", show_default=False)
]

Place = Annotated[
    str,
    typer.Option(
        "--store",
        help="Folder or URL of a store; left out: this home's.",
        metavar="PLACE",
        show_default=False,
    ),
]


def prune(
    keep: Annotated[int, typer.Option(min=1, help="How many of the newest stay.")] = 5,
    store: Place = "",
    json: Json = False,
) -> None:
    """Remove old releases; never the served one, its parent or what a rollback would serve."""
    from recsys.local.retention import prune_here
    from recsys.release.remote import open_store

    removed = open_store(store).prune(keep) if store else prune_here(get_settings(), keep)
    if json:
        print_json({"removed": list(removed)})
    else:
        results.print(f"Removed: {', '.join(map(str, removed)) or 'nothing'}.")


def verify(release: AnyNumber = None, store: Place = "", json: Json = False) -> None:
    """Read every file of a release and compare it with the manifest."""
    from recsys.release.remote import open_store

    releases = open_store(store or str(get_settings().home / "releases"))
    numbers = releases.numbers() if release is None else (release,)
    for number in numbers:
        releases.verify(number)
    if json:
        print_json({"verified": list(numbers)})
    else:
        results.print(f"Whole: {', '.join(map(str, numbers)) or 'nothing is published'}.")


def report(
    release: Annotated[int, typer.Argument(min=1, help="Release number.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("gate.html"),
    json: Json = False,
) -> None:
    """Write what the gate found as a page, or print it as JSON."""
    from recsys.release.gate_page import gate_page
    from recsys.release.store import ReleaseStore

    found = ReleaseStore(get_settings().home / "releases").show(release).gate.report
    if not found:
        raise BadUse(f"release {release}", "was published without a report", "Name one that a pipeline made")
    if json:
        print_json(found)
        return
    out.write_text(gate_page(found), encoding="utf-8")
    results.print(str(out))


def track(store: Place = "") -> None:
    """Bring MLflow up to date with the releases; done by itself at each publication and promotion."""
    from recsys.release.remote import open_store
    from recsys.release.tracking import Tracker

    settings = get_settings()
    Tracker(settings.mlflow).follow(open_store(store or str(settings.home / "releases")))
    results.print(f"MLflow at {settings.mlflow.uri} holds every release.")


def note_in_mlflow(store: str = "") -> None:
    """Tell MLflow which release is current now; what it does not take is said and no failure.

    Args:
        store: Folder or URL of the store of releases; this home's when empty.
    """
    from recsys.release.remote import open_store
    from recsys.release.tracking import on_promote

    settings = get_settings()
    if trouble := on_promote(open_store(store or str(settings.home / "releases")), settings.mlflow):
        messages.print(f"Not noted: {trouble}")
