"""`recsys items`: what the shop sells, changed without a training."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import Json
from recsys.cli.output import print_json, results
from recsys.cli.release_store import note_in_mlflow
from recsys.cli.steps import Steps
from recsys.settings import get_settings

app = typer.Typer(help="Add items to what is recommended.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """So that `add` is a command of its own although it is the only one."""


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="Items: .parquet or .csv.", show_default=False)],
    images: Annotated[Path | None, typer.Option(help="Folder of <item_id>.jpg.", show_default=False)] = None,
    update: Annotated[bool, typer.Option("--update", help="Change items that are there already.")] = False,
    promote: Annotated[bool, typer.Option(help="Serve the release at once.")] = True,
    json: Json = False,
) -> None:
    """Make items recommendable with the models as they are: a release of its own, served at once."""
    from recsys.local.promotion import promote_here
    from recsys.local.retention import prune_here
    from recsys.local.services import require_release
    from recsys.release.add_items import add_items
    from recsys.release.item_file import read_item_file
    from recsys.release.store import ReleaseStore

    settings = get_settings()
    current = require_release(settings)
    steps = Steps()
    with steps.step("Add items"):
        done = add_items(
            ReleaseStore(settings.home / "releases"),
            read_item_file(file, images),
            parent=current,
            update=update,
        )
    if promote and done.release != current:
        with steps.step(f"Promote release {done.release}") as note:
            promote_here(settings, done.release, lambda name, event: note(f"{name}: {event}", None))
    if done.release != current:
        note_in_mlflow()
        if settings.releases.keep:
            prune_here(settings, settings.releases.keep)
    if json:
        print_json(asdict(done))
    elif done.release == done.parent:
        results.print(f"Release {done.release} holds these items already; nothing to do.")
    else:
        items = "item" if done.added == 1 else "items"
        said = f"Release {done.release}: {done.added} {items} added, {done.updated} updated"
        results.print(said + _remarks(done.unknown_categories, done.images_missing))


def _remarks(unknown_categories: int, images_missing: int) -> str:
    found = []
    if unknown_categories:
        found.append(f"{unknown_categories} of a category that no training has seen")
    if images_missing:
        found.append(f"{images_missing} without an image")
    return f" ({', '.join(found)})" if found else ""
