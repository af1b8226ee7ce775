"""`recsys data`: make, import and look at data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.cli.options import Json
from recsys.cli.output import print_json, results, table
from recsys.cli.steps import Steps

app = typer.Typer(help="Make, import and look at data sets.", no_args_is_help=True)

Out = Annotated[Path, typer.Option(help="Folder to write.", show_default=False)]
Source = Annotated[Path, typer.Argument(help="Folder of a data set.", show_default=False)]


@app.command()
def generate(
    *,
    out: Out,
    users: Annotated[int, typer.Option(min=1)] = 5_000,
    items: Annotated[int, typer.Option(min=1)] = 700,
    rows: Annotated[int, typer.Option(min=1, help="Interactions in all.")] = 120_000,
    days: Annotated[int, typer.Option(min=1)] = 14,
    seed: int = 7,
    images: Annotated[bool, typer.Option(help="Draw a picture of every item.")] = True,
) -> None:
    """Make a synthetic shop: catalogue, pictures, personas and interactions."""
    from recsys.data.synthetic import generate as make

    with Steps().step("Synthetic shop") as note:
        make(
            out,
            users=users,
            items=items,
            rows=rows,
            days=days,
            seed=seed,
            images=images,
            progress=note,
        )
    results.print(str(out))


@app.command()
def validate(source: Source, out: Out, json: Json = False) -> None:
    """Check a data set and write a clean copy; bad rows are set aside with the reason."""
    from recsys.data.validate import validate as check

    with Steps().step(f"Validate {source}") as note:
        report = check(source, out, note)
    if json:
        print_json(report.as_dict())
        return
    rows = [
        (name, f"{one.rows:,}", f"{one.kept:,}", _reasons(one.quarantined))
        for name, one in report.tables.items()
    ]
    results.print(table(str(out), ("file", "rows", "kept", "set aside"), rows, right=("rows", "kept")))


@app.command()
def describe(source: Source, json: Json = False) -> None:
    """Say what a data set holds."""
    from recsys.data.dataset import Dataset

    document = description(Dataset.open(source))
    if json:
        print_json(document)
        return
    rows = [(name.replace("_", " "), _text(value)) for name, value in document.items()]
    results.print(table(str(source), ("", "value"), rows))


def description(dataset: Any) -> dict[str, Any]:
    """What a data set holds, in numbers.

    Args:
        dataset: An open `Dataset`.

    Returns:
        Counts, the time span in UTC and the share of clicks, as JSON types.
    """
    import pandas as pd

    frames = dataset.interactions(dataset.days)
    first, last = pd.to_datetime([frames.timestamp.min(), frames.timestamp.max()], unit="s")
    return {
        "users": len(dataset.users),
        "items": len(dataset.items),
        "categories": int(dataset.items.category_l1.nunique()),
        "images": sum(dataset.image_path(item) is not None for item in dataset.items.item_id),
        "days": list(dataset.days),
        "interactions": len(frames),
        "active_users": int(frames.user_id.nunique()),
        "interacted_items": int(frames.item_id.nunique()),
        "click_share": float(frames.click.mean()) if "click" in frames else 1.0,
        "first": f"{first:%Y-%m-%dT%H:%M:%SZ}",
        "last": f"{last:%Y-%m-%dT%H:%M:%SZ}",
        "fingerprint": dataset.fingerprint(),
    }


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"{value[0]} to {value[-1]}" if value else "none"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
