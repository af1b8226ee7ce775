"""`recsys capacity`: replicas, latency and money of a day, before it is paid for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.capacity_tables import print_comparison, print_day, print_predictions, print_sweep
from recsys.cli.options import Json
from recsys.cli.output import messages
from recsys.errors import BadUse
from recsys.settings import get_settings

if TYPE_CHECKING:
    from recsys.capacity.curve import Curve
    from recsys.capacity.prices import Price
    from recsys.capacity.profile import ServiceProfile

_HPA, _NODES, _WHAT = "Autoscaler", "Nodes", "What to print"


def capacity(
    *,
    profile: Annotated[
        Path | None,
        typer.Option(
            help="Service times: JSON of `recsys bench serving --json`, or a profile.", show_default=False
        ),
    ] = None,
    curve: Annotated[str, typer.Option(help="daily, sale, flat, or a CSV with time,rps.")] = "daily",
    peak: Annotated[float, typer.Option(min=0.1, help="Requests a second at a built-in day's peak.")] = 100.0,
    threshold: Annotated[
        float, typer.Option(min=0.01, help="Target of the mean queue time, in ms.", rich_help_panel=_HPA)
    ] = 10.0,
    busy: Annotated[
        float,
        typer.Option(
            min=0, max=100, help="Target of a replica's busy time, in percent; 0: none.", rich_help_panel=_HPA
        ),
    ] = 70.0,
    min_replicas: Annotated[int, typer.Option(min=1, rich_help_panel=_HPA)] = 2,
    max_replicas: Annotated[int, typer.Option(min=1, max=1_000, rich_help_panel=_HPA)] = 8,
    lag: Annotated[
        float, typer.Option(min=0, help="Age of a metric when read, in s.", rich_help_panel=_HPA)
    ] = 30.0,
    headroom: Annotated[
        int, typer.Option(min=0, help="Replicas' worth of room kept warm.", rich_help_panel=_NODES)
    ] = 0,
    replicas_per_node: Annotated[int, typer.Option(min=1, rich_help_panel=_NODES)] = 1,
    node_start: Annotated[float, typer.Option(min=0, help="Seconds.", rich_help_panel=_NODES)] = 90.0,
    image_pull: Annotated[float, typer.Option(min=0, help="Seconds.", rich_help_panel=_NODES)] = 120.0,
    model_ready: Annotated[float, typer.Option(min=0, help="Seconds.", rich_help_panel=_NODES)] = 30.0,
    drain: Annotated[float, typer.Option(min=0, help="Seconds.", rich_help_panel=_NODES)] = 15.0,
    node: Annotated[
        str, typer.Option(help="Its price is in infra/prices.json.", rich_help_panel=_NODES)
    ] = "g5.xlarge",
    node_price: Annotated[
        float | None,
        typer.Option(
            min=0, help="USD an hour, instead of the table's.", show_default=False, rich_help_panel=_NODES
        ),
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Several thresholds and head-rooms.", rich_help_panel=_WHAT)
    ] = False,
    rate: Annotated[
        list[float] | None,
        typer.Option(min=0.01, help="Latency at this steady rate alone; repeatable.", rich_help_panel=_WHAT),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(
            help="Open-loop load test (JSON) to check the queue model; the profile's own: half against half.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    p99: Annotated[
        float, typer.Option(min=0, help="Objective in ms; for --sweep.", rich_help_panel=_WHAT)
    ] = 100.0,
    plot: Annotated[
        Path | None,
        typer.Option(help="HTML page to write.", show_default="<home>/capacity.html", rich_help_panel=_WHAT),
    ] = None,
    seed: int = 0,
    json: Json = False,
) -> None:
    """Simulate a day under autoscaler and node start-up: replicas, p99, refusals and cost."""
    from recsys.capacity.day import Plan
    from recsys.capacity.fleet import Nodes
    from recsys.capacity.hpa import Hpa

    if profile is None:
        raise BadUse(
            "--profile",
            "is missing",
            "Give the JSON of `recsys bench serving --json`, or see docs/capacity.md",
        )
    if min_replicas > max_replicas:
        raise BadUse("--min-replicas", f"is above --max-replicas {max_replicas}", "Lower it")
    if compare is not None:
        _compare(profile, compare, seed, json)
        return
    measured = _profile(profile)
    if rate:
        print_predictions(measured, rate, min_replicas, seed, json)
        return
    plan = Plan(
        measured,
        _curve(curve, peak),
        Hpa(threshold, busy / 100, min_replicas, max_replicas, lag_s=lag),
        Nodes(replicas_per_node, headroom, node_start, image_pull, model_ready, drain),
        get_settings().gateway.deadline_s,
        seed,
    )
    price = _price(node, node_price)
    if sweep:
        print_sweep(plan, price, p99, json)
    else:
        print_day(plan, price, plot or get_settings().home / "capacity.html", json)


def _compare(profile: Path, runs: Path, seed: int, json: bool) -> None:
    """What is predicted was not fitted: of one file, every second rate is held back."""
    from recsys.capacity.compare import held_back, open_loop_runs

    if profile.resolve() == runs.resolve():
        print_comparison(*held_back(runs), seed, json)
    else:
        print_comparison(_profile(profile), open_loop_runs(runs), seed, json)


def _profile(path: Path) -> ServiceProfile:
    from recsys.capacity.profile import load_profile

    return load_profile(path)


def _curve(text: str, peak: float) -> Curve:
    from recsys.capacity.curve import SHAPES, load_curve, named_curve

    return load_curve(Path(text)) if text not in SHAPES and Path(text).is_file() else named_curve(text, peak)


def _price(node: str, given: float | None) -> Price | None:
    """The given price, or the table's; None, with a message, where there is neither."""
    from recsys.capacity.prices import Price, load_price

    if given is not None:
        return Price(given, "given by --node-price")
    try:
        return load_price(node)
    except BadUse as error:
        messages.print(f"No cost: {error}", style="yellow", soft_wrap=True)
        return None
