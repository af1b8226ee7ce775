"""`recsys bench reaction`: whether clicks change the answers, and how soon."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from recsys.cli.options import Json
from recsys.cli.output import print_json, results, table
from recsys.cli.steps import Steps
from recsys.settings import get_settings

_COLUMNS = ("who clicks", "reacted", "median", "share before", "share after")


def reaction(
    *,
    trials: Annotated[int, typer.Option(min=1, max=1_000, help="Known users, and as many new ones.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of the users, categories and items.")] = 0,
    json: Json = False,
) -> None:
    """Click three items of another category: does its share of the ten shown rise within five seconds?"""
    from recsys.local.reaction import measure

    with Steps().step("Click") as note:
        document = measure(get_settings(), trials, seed, note)
    if json:
        print_json(document)
    else:
        show(document)


def show(document: dict[str, Any]) -> None:
    """Print the trials.

    Args:
        document: What `recsys bench reaction --json` prints.
    """
    rows = [
        (title, *_cells(document[name])) for name, title in (("known", "known users"), ("new", "visitors"))
    ]
    heading = f"Three clicks in another category, release {document['release']}"
    results.print(table(heading, _COLUMNS, rows, right=_COLUMNS[1:]))


def _cells(found: dict[str, Any]) -> tuple[str, ...]:
    median = "–" if found["median_s"] is None else f"{found['median_s']:.2f} s"
    shares = (f"{found[name]:.0%}" for name in ("share_before", "share_after"))
    return f"{found['reacted']} of {found['trials']}", median, *shares
