"""`recsys evaluate seeds`, `ablation`, `towers` and `policy`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from recsys.cli.evaluate_tables import METRICS, change, ends, rows_of
from recsys.cli.options import Json
from recsys.cli.output import print_json, results, table
from recsys.cli.steps import Steps
from recsys.settings import Settings, get_settings

if TYPE_CHECKING:
    import pandas as pd

Data = Annotated[
    Path | None,
    typer.Option(help="Folder of a data set; left out: the one trained on.", show_default=False),
]
Release = Annotated[
    int | None, typer.Option(help="Number of a release; left out: the current one.", show_default=False)
]

_VISIT: Final = ("before", "after")


def seeds(
    data: Data = None,
    count: Annotated[int, typer.Option("--seeds", min=1, help="How many trainings.")] = 3,
    baselines: Annotated[str, typer.Option(help="standard, all, or some of them.")] = "all",
    json: Json = False,
) -> None:
    """Train the recipe with several seeds and measure each: mean and interval."""
    from recsys.tune.seeds import over_seeds

    settings = get_settings()
    chosen = [settings.training.seed + number for number in range(count)]
    with Steps().step("Seeds") as note:
        found = over_seeds(_bench(data, baselines), settings, chosen, note)
    if json:
        print_json(found)
        return
    rows = [
        (
            path,
            f"{one['mean']:.4f}",
            ends(one["interval"]),
            " ".join(f"{value:.4f}" for value in one["values"]),
        )
        for path, one in found["headline"].items()
    ]
    heads = ("", "mean", "95 % interval", "runs")
    results.print(
        table(f"Seeds {', '.join(map(str, chosen))}, {found['rows']:,} clicks", heads, rows, heads[1:])
    )
    results.print(table("Baselines", ("", *METRICS[:5]), rows_of(found["baselines"], METRICS[:5]), METRICS))


def ablation(
    data: Data = None,
    only: Annotated[str, typer.Option(help="Some variants, with commas between.", show_default=False)] = "",
    json: Json = False,
) -> None:
    """Train the recipe without each of its parts: what each one brings."""
    from recsys.tune.ablation import ablate

    with Steps().step("Ablation") as note:
        found = ablate(_bench(data, "popularity"), get_settings(), only, note)
    if json:
        print_json(found)
        return
    told = {"chain.hit@10": "hit@10", "chain.ndcg@10": "ndcg@10"}
    rest = {"retrieval.hit@300": "retrieved", "anonymous.chain.hit@10": "anonymous"}
    rows = [
        (
            name,
            *(text for path in told for text in (f"{one[path]:.3f}", change(one["difference"].get(path)))),
            *(f"{one[path]:.3f}" for path in rest),
        )
        for name, one in found["variants"].items()
    ]
    heads = ("", *(head for name in told.values() for head in (name, f"Δ {name}")), *rest.values())
    results.print(
        table(f"{found['rows']:,} clicks; *: the 95 % interval leaves 0 out", heads, rows, heads[1:])
    )


def towers(
    data: Data = None,
    release: Annotated[
        int | None, typer.Option(help="Ask this release's tower and train none.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Train the static, the context and the session query tower: what they make of clicks."""
    from recsys.tune.towers import compare_towers

    bench = _bench(data, "")
    with Steps().step("Towers") as note:
        if release is None:
            found = compare_towers(replace(bench, folder=bench.folder / "towers"), get_settings(), note)
        else:
            found = {f"release {release}": _answers(bench.data, release)}
    if json:
        print_json(found)
        return
    rows = [
        (
            name,
            _with_ends(one["all"]["hit@10"], one["interval"]["hit@10"]),
            f"{one['all']['hit@300']:.3f}",
            *(_with_ends(day["hit@10"], day["interval"]) for day in one["days"].values()),
            *(_with_ends(one["visit"][when]["share"], one["visit"][when]["interval"]) for when in _VISIT),
        )
        for name, one in found.items()
    ]
    first = next(iter(found.values()))
    days = (f"hit@10, {label} ({day['rows']:,})" for label, day in first["days"].items())
    heads = (
        "",
        "hit@10",
        "hit@300",
        *days,
        *(f"new category's share {when} three clicks" for when in _VISIT),
    )
    title = f"{first['rows']:,} clicks, retrieval alone; {first['visit']['visits']:,} visits"
    results.print(table(title, heads, rows, heads[1:]))


def _answers(data: Path, release: int) -> dict[str, Any]:
    """How a release's query tower answers to clicks."""
    from recsys.data.dataset import Dataset
    from recsys.models.reaction import Rows, Tower, measure
    from recsys.release.lineage import judged_by

    settings = get_settings()
    release_dir = settings.home / "releases" / str(release)
    dataset = judged_by(Dataset.open(data), release_dir)
    return measure(Tower.of_release(release_dir, dataset.items), Rows.of(dataset, settings))


def _with_ends(value: float, interval: Sequence[float]) -> str:
    return f"{value:.3f} ({ends(interval, digits=3)})"


def policy(
    log: Annotated[
        Path | None,
        typer.Argument(
            help="Parquet: user_id, item_id, timestamp, device_type, propensity, reward; "
            "what this system showed and was clicked when left out."
        ),
    ] = None,
    data: Data = None,
    release: Release = None,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="Of the softmax that the release draws from; 0: its best item.")
    ] = 0.0,
    json: Json = False,
) -> None:
    """Estimate what a release would have earned in the first place, from a log with propensities."""
    from recsys.data.dataset import Dataset
    from recsys.local.services import require_release
    from recsys.local.shop_data import imported
    from recsys.models.policy import estimate, read_log
    from recsys.release.lineage import judged_by

    settings = get_settings()
    rows = _shown(settings) if log is None else read_log(log)
    release_dir = settings.home / "releases" / str(release or require_release(settings))
    with Steps().step("Policy") as note:
        dataset = judged_by(Dataset.open(data or imported(settings.home)), release_dir)
        found = estimate(release_dir, dataset, rows, settings, temperature, note)
    if json:
        print_json(found)
        return
    lines = [
        (one["estimator"], f"{one['value']:.4f}", ends(one["interval"]), f"{one['effective_rows']:,.0f}")
        for one in found["estimates"]
    ]
    heads = (found["estimates"][0]["policy"], "value", "95 % interval", "effective rows")
    results.print(
        table(f"{found['rows']:,} decisions that earned {found['logged']:.4f}", heads, lines, heads[1:])
    )


def _shown(settings: Settings) -> pd.DataFrame:
    """What explored answers showed first and what came of it, out of Valkey."""
    from recsys.cli.release_trial import running_valkey
    from recsys.online import clicks, exposures
    from recsys.release.explored import policy_log

    with running_valkey(settings) as client:
        shown = [each for each in exposures.read(client) if each.propensities]
        begin = min((each.at_ms for each in shown), default=0)
        clicked = clicks.since(client, begin, {each.user_id for each in shown})
    return policy_log(shown, clicked)


def _bench(data: Path | None, baselines: str) -> Any:
    from recsys.local.shop_data import imported
    from recsys.tune.runs import Bench

    home = get_settings().home
    return Bench(data or imported(home), home / "runs", baselines=baselines)
