"""`recsys bench daily`: the daily fine-tuning beside training everything anew."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from recsys.cli.options import DataDir, Json, parse_days
from recsys.cli.output import print_json, results, table
from recsys.cli.steps import Steps
from recsys.settings import get_settings

_COLUMNS = ("", "ndcg@10", "hit@300", "gain of ndcg@10", "seconds", "on the CPU")


def daily(
    data: DataDir,
    parent_days: Annotated[str, typer.Option(help="Days that the parent is trained on.")] = "0-10",
    days: Annotated[str, typer.Option(help="Days that are learned; the next one judges.")] = "11-12",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the releases in HOME/bench-daily.")] = False,
    json: Json = False,
) -> None:
    """Train on some days, fine-tune on the next and train anew on all: which gains how much, in what time."""
    from recsys.bench.daily import measure

    with Steps().step("Measure") as note:
        document = measure(data, get_settings(), parse_days(parent_days), parse_days(days), note, keep=keep)
    if json:
        print_json(document)
    else:
        show(document)


def show(document: dict[str, Any]) -> None:
    """Print the comparison.

    Args:
        document: What `recsys bench daily --json` prints.
    """
    days = document["days"]
    titles = {
        "parent": f"trained on {_span(days['parent'])}",
        "daily": f"fine-tuned on {_span(days['new'])}",
        "retrained": f"trained anew on {_span([*days['parent'], *days['new']])}",
    }
    rows = [(title, *_cells(document, name)) for name, title in titles.items()]
    heading = f"{document['rows']:,} clicks of day {days['judged_by']}, whole chain"
    results.print(table(heading, _COLUMNS, rows, right=_COLUMNS[1:]))
    share = document["gain_share"]
    gain = "training anew gained nothing" if share is None else f"{share:.0%} of the gain of training anew"
    time = f"{document['time_share']:.0%} of its time ({document['cpu_share']:.0%} on the CPU)"
    results.print(f"Fine-tuning: {gain}, in {time}.")


def _cells(document: dict[str, Any], name: str) -> tuple[str, ...]:
    found, gain = document[name], document["gain"].get(name)
    told = f"{gain['value']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})" if gain else ""
    times = (f"{found[unit]:.1f}" for unit in ("seconds", "cpu_seconds"))
    return f"{found['ndcg@10']:.4f}", f"{found['hit@300']:.4f}", told, *times


def _span(days: list[int]) -> str:
    return f"day {days[0]}" if len(days) == 1 else f"days {min(days)}-{max(days)}"
