"""`recsys bench`: how fast it is here."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.cli.bench_daily import daily
from recsys.cli.bench_reaction import reaction
from recsys.cli.options import Json
from recsys.cli.output import messages, print_json, results, table
from recsys.cli.steps import Steps
from recsys.errors import BadUse
from recsys.settings import get_settings

app = typer.Typer(help="Measure speed and memory on this machine.", no_args_is_help=True)
app.command()(daily)
app.command()(reaction)

_DEFAULT_CONCURRENCY = "1,4,16,64"
_WIDE = 160


@app.command()
def serving(
    *,
    processes: Annotated[
        bool, typer.Option("--processes", help="Also the fourteen models with a process for each.")
    ] = False,
    fused: Annotated[
        bool, typer.Option("--fused", help="Also ensemble_fused: all stages in one process.")
    ] = False,
    floor: Annotated[bool, typer.Option("--floor", help="Also the stages in one bare process.")] = False,
    gateway: Annotated[bool, typer.Option("--gateway", help="Also through the gateway, over HTTP.")] = False,
    reference: Annotated[
        bool,
        typer.Option("--reference", help="Also with NVTabular's runner and Feast's SDK, stacked and not."),
    ] = False,
    static_tower: Annotated[
        bool, typer.Option("--static-tower", help="Also with a tower that knows nothing of clicks.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="All of these, side by side.")] = False,
    target: Annotated[
        str, typer.Option(help="A Triton that runs here, 127.0.0.1:<gRPC port>, in place of our own servers.")
    ] = "",
    concurrency: Annotated[str, typer.Option(help="Callers that ask at once.")] = _DEFAULT_CONCURRENCY,
    batch: Annotated[str, typer.Option(help="Users in a request of one caller.")] = "16",
    rate: Annotated[str, typer.Option(help="Requests a second that come at random moments.")] = "",
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Variants take turns within each.")] = 2,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=600, help="Measured time of each case and round.")
    ] = 3.0,
    warm_up: Annotated[float, typer.Option(min=0, max=600, help="Seconds before it, not measured.")] = 1.0,
    requests: Annotated[int, typer.Option(min=1, help="At most so many answers a case and round.")] = 20_000,
    workflows: Annotated[
        Path | None, typer.Option(help="NVTabular's fitted workflows, for --reference.", show_default=False)
    ] = None,
    perf_analyzer: Annotated[
        bool, typer.Option("--perf-analyzer", help="NVIDIA's client too, where it can run.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Folder for serving.json and serving.html.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Measure the served ensemble: latency, throughput, stages and memory, with CPU steal beside each.

    Servers of its own, on free ports of 127.0.0.1, serve the current release; those that run are not touched.
    """
    from recsys.bench.options import GATEWAYS, PROCESSES, REFERENCES, STATIC_TOWER, Options
    from recsys.bench.report import write
    from recsys.bench.serving import measure
    from recsys.local.services import require_release

    settings = get_settings()
    chosen = {
        PROCESSES: processes,
        "fused": fused,
        STATIC_TOWER: static_tower,
        **dict.fromkeys(REFERENCES, reference),
        "floor": floor,
    }
    names = ["ensemble", *(name for name, wanted in chosen.items() if wanted or every)]
    if gateway or every:
        names += [name for name, asked in GATEWAYS.items() if asked in names]
    options = Options(
        variants=tuple(names),
        target=target,
        concurrencies=_numbers("--concurrency", concurrency, int),
        batches=_numbers("--batch", batch, int),
        rates=_numbers("--rate", rate, float),
        rounds=rounds,
        seconds=seconds,
        warm_up_s=warm_up,
        most_requests=requests,
        perf_analyzer=perf_analyzer,
        workflows=workflows,
    )
    with Steps().step("Measure") as note:
        document = measure(options, settings, require_release(settings), note)
    document = {"command": shlex.join(["recsys", *sys.argv[1:]]), **document}
    if report is not None:
        messages.print(f"Report: {write(document, report)}")
    if json:
        print_json(document)
    else:
        show(document)


@app.command()
def index(
    *,
    sizes: Annotated[str, typer.Option(help="Numbers of items.")] = "1e4,1e5,1e6",
    kinds: Annotated[str, typer.Option(help="Kinds of index, among them auto; all when empty.")] = "",
    vectors: Annotated[str, typer.Option(help="clustered, as learned ones are, or gaussian.")] = "clustered",
    floor: Annotated[float, typer.Option(min=0, max=1, help="Recall that is enough.")] = 0.98,
    memory_mb: Annotated[
        float | None, typer.Option(min=0, help="Bound for auto.", show_default=False)
    ] = None,
    filtered: Annotated[
        bool, typer.Option(help="Also search among 50, 10, 1 and 0.1 % of the items.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where indexes are left; one that is there is only asked.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Measure index kinds: recall of the exact 300, ms a query on one thread, build time and memory."""
    from recsys.bench.index import SHARES, IndexOptions, measure
    from recsys.bench.index_tables import filtered_rows, frontier_rows, growth_rows, index_rows

    chosen = tuple(name.strip() for name in kinds.split(",") if name.strip())
    options = IndexOptions(
        sizes=_numbers("--sizes", sizes, _whole, most=100_000_000),
        kinds=chosen or IndexOptions.kinds,
        shape=vectors,
        floor=floor,
        memory_mb=memory_mb,
        shares=SHARES if filtered else (),
        folder=folder,
    )
    with Steps().step("Measure") as note:
        document = measure(options, note)
    document = {"command": shlex.join(["recsys", *sys.argv[1:]]), **document}
    if json:
        print_json(document)
        return
    for title, (columns, rows) in (
        (f"Index kinds, {document['vectors']} vectors", index_rows(document["runs"])),
        ("Frontier: recall against time", frontier_rows(document["runs"])),
        ("Filtered search", filtered_rows(document["runs"])),
        ("Growth: exponent of the number of items", growth_rows(document["growth"])),
    ):
        if rows:
            results.print(table(title, columns, rows, right=columns[1:]))


@app.command()
def train(
    *,
    rows: Annotated[str, typer.Option(help="Interactions of each synthetic shop.")] = "1e6,3e6,13e6",
    items: Annotated[int, typer.Option(min=50, help="Items of each shop.")] = 2_465,
    folder: Annotated[
        Path | None, typer.Option(help="Where shops and artefacts are left.", show_default=False)
    ] = None,
    steps: Annotated[
        str, typer.Option(help="Only these, over what lies in --folder; all when empty.", show_default=False)
    ] = "",
    random: Annotated[
        bool, typer.Option("--random", help="Shops of random rows: made in seconds, without quality.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on in --folder where a run stopped.")] = False,
    json: Json = False,
) -> None:
    """Measure the training pipeline's steps: rows a second, memory, and growth with the rows."""
    from recsys.bench.train import STEPS, TrainOptions, measure
    from recsys.bench.train_tables import growth_rows, step_rows, total_rows

    sizes = _numbers("--rows", rows, _whole, most=1_000_000_000)
    if folder is None and (steps or resume):
        raise BadUse("--folder", "not given: there is nothing to build on", "Give the one of the earlier run")
    chosen = tuple(name.strip() for name in steps.split(",") if name.strip()) or STEPS
    options = TrainOptions(rows=sizes, items=items, folder=folder, steps=chosen, random=random, resume=resume)
    with Steps().step("Measure") as note:
        document = measure(options, get_settings(), note)
    document = {"command": shlex.join(["recsys", *sys.argv[1:]]), **document}
    if json:
        print_json(document)
        return
    for title, (columns, lines) in (
        ("Steps of the training", step_rows(document["runs"])),
        ("The whole training", total_rows(document["totals"])),
        ("Growth: exponent of the number of rows", growth_rows(document["growth"])),
    ):
        results.print(table(title, columns, lines, right=columns[1:]))


def show(document: dict[str, Any]) -> None:
    """Print a serving benchmark as tables, the goals last.

    Args:
        document: What `recsys bench serving --json` prints.
    """
    from rich.console import Console

    from recsys.bench.tables import RIGHT, ranker_rows, ratio_rows, run_rows, server_rows, verdict

    # In a log or a file no line is too long; a terminal folds at its own width.
    wide = results if results.is_terminal else Console(highlight=False, width=_WIDE)
    columns, rows = run_rows(document["runs"])
    title = f"Release {document['release']}, {document['machine']['cores']} cores"
    wide.print(table(title, columns, rows, right=RIGHT))
    if document["servers"]:
        columns, rows = server_rows(document["servers"])
        wide.print(table("Started alone", columns, rows, right=columns[1:]))
    columns, rows = ranker_rows(document["ranker"])
    wide.print(table("The ranker alone, one thread", columns, rows, right=columns[1:]))
    if document["ratios"]:
        columns, rows = ratio_rows(document["ratios"])
        wide.print(table("Ratios", columns, rows, right=columns[1:]))
        wide.print(verdict(document["ratios"]))


def _whole(text: str) -> int:
    """A whole number, which may be written like 1e6."""
    number = float(text)
    if not number.is_integer():
        raise ValueError(text)
    return int(number)


def _numbers(option: str, text: str, kind: Callable[[str], Any], most: float = 100_000) -> tuple[Any, ...]:
    """Positive numbers that stand behind an option, with commas between them."""
    try:
        found = tuple(kind(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise BadUse(option, f"{text!r} are not numbers", "Write them like 1,4,16") from None
    if not all(0 < number <= most for number in found):
        raise BadUse(option, f"{text!r} holds a number that cannot be", "Give positive numbers")
    return found
