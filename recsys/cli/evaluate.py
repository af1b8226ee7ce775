"""`recsys evaluate`: how good the current release is, beside baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.cli.options import Json
from recsys.cli.output import messages, print_json, results, table
from recsys.cli.steps import Steps
from recsys.settings import get_settings

app = typer.Typer(help="Measure the current release on the days after its training, beside baselines.")

_METRICS = ("hit@10", "hit@100", "hit@300", "ndcg@10", "mrr", "coverage@10")
Data = Annotated[
    Path | None,
    typer.Option(help="Folder of a data set; left out: the one trained on.", show_default=False),
]


@app.callback(invoke_without_command=True)
def evaluate(
    context: typer.Context,
    *,
    data: Data = None,
    release: Annotated[
        int | None, typer.Option(help="Number of a release; left out: the current one.", show_default=False)
    ] = None,
    baselines: Annotated[
        str, typer.Option(help="standard, all, or some of them with commas between.")
    ] = "standard",
    ordering: Annotated[
        bool, typer.Option("--ordering", help="Also what MMR, DPP, caps and exploration trade for what.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="HTML page with plots.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Measure a release on the days after its training, beside baselines."""
    if context.invoked_subcommand is not None:
        return
    from recsys.local.services import require_release

    settings = get_settings()
    release_dir = settings.home / "releases" / str(release or require_release(settings))
    from recsys.data.dataset import Dataset
    from recsys.local.shop_data import imported
    from recsys.models.evaluate import evaluate as measure

    dataset = Dataset.open(data or imported(settings.home))
    steps = Steps()
    with steps.step("Evaluate") as note:
        document = measure(release_dir, dataset, settings, note, baselines)
    if ordering:
        from recsys.models.ordering import measure as reorder

        with steps.step("Ordering") as note:
            document["ordering"] = reorder(release_dir, dataset, settings, note)
    if report is not None:
        _write(report, document)
    if json:
        print_json(document)
    else:
        show(document)


def _write(path: Path, document: dict[str, Any]) -> None:
    from recsys.release.evaluation_report import evaluation_page

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(evaluation_page(document), encoding="utf-8")
    messages.print(f"Report: {path}")


def show(document: dict[str, Any]) -> None:
    """Print an evaluation as tables.

    Args:
        document: What `recsys evaluate --json` prints.
    """
    lines = {
        "whole chain": document["chain"],
        "retrieval alone": document["retrieval"],
        "anonymous, whole chain": document["anonymous"]["chain"],
        "anonymous, retrieval": document["anonymous"]["retrieval"],
        **document["baselines"],
        **_oracles(document.get("oracle", {})),
    }
    heading = f"{document['rows']:,} clicks of the days after training"
    results.print(table(heading, ("", *_METRICS), _rows(lines, _METRICS), right=_METRICS))
    results.print(f"Ranker AUC {document['ranker']['auc']:.3f}{_calibration(document)}")
    _show_intervals(document)
    _show_unseen(document.get("unseen", {}))
    if "ordering" in document:
        _show_ordering(document["ordering"])


def _show_intervals(document: dict[str, Any]) -> None:
    if not document.get("intervals"):
        return
    names = ("hit@10", "ndcg@10", "hit@300")
    found = document["intervals"]
    rows = [
        (name.replace("_", " "), *(f"{ends[metric][0]:.3f} – {ends[metric][1]:.3f}" for metric in names))
        for name, ends in found.items()
    ]
    results.print(table("95 % intervals over users", ("", *names), rows, right=names))
    differences = [
        (name.replace("_", " "), *(_difference(one[metric]) for metric in names[:2]))
        for name, one in document.get("differences", {}).items()
    ]
    if differences:
        results.print(table("Differences, paired by row", ("", *names[:2]), differences, right=names))


def _show_unseen(found: dict[str, Any]) -> None:
    if not found.get("rows"):
        return
    lines = {"whole chain": found["chain"], "retrieval alone": found["retrieval"], **found["baselines"]}
    heading = f"{found['rows']:,} clicks on items new to the user, what they had clicked before filtered out"
    results.print(table(heading, ("", *_METRICS), _rows(lines, _METRICS), right=_METRICS))


def _show_ordering(found: dict[str, Any]) -> None:
    names = ("ndcg@10", "hit@10", "diversity", "categories", "coverage", "gini")
    rows = [
        (name, f"{one['setting']:g}", *(_number(one[key]) for key in names))
        for name, curve in found["curves"].items()
        for one in curve
    ]
    columns = ("", "setting", *names)
    results.print(table(f"Ordering, {found['rows']:,} clicks", columns, rows, right=columns[1:]))
    estimates = [
        (one["policy"], one["estimator"], _number(one["value"]), _number(one["truth"]))
        for one in found["off_policy"]
    ]
    heads = ("policy", "estimator", "value", "truth")
    results.print(table("Off-policy estimates of hit@1", heads, estimates, right=heads[2:]))


def _rows(lines: dict[str, Any], names: Sequence[str]) -> list[tuple[str, ...]]:
    return [
        (name.replace("_", " "), *(_number(found.get(metric)) for metric in names))
        for name, found in lines.items()
    ]


def _calibration(document: dict[str, Any]) -> str:
    found = document.get("calibration")
    return f", calibration error {found['ece']:.3f} ({found['negatives']} negatives)" if found else ""


def _difference(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['mean']:+.3f} ({low:+.3f} – {high:+.3f})"


def _oracles(found: dict[str, Any]) -> dict[str, Any]:
    """Those of the days that are evaluated, where the data set tells them apart."""
    return {name: one for name, one in found.items() if "valid_days" in name} or found


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


@app.command()
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
            _ends(one["interval"]),
            " ".join(f"{value:.4f}" for value in one["values"]),
        )
        for path, one in found["headline"].items()
    ]
    heads = ("", "mean", "95 % interval", "runs")
    results.print(
        table(f"Seeds {', '.join(map(str, chosen))}, {found['rows']:,} clicks", heads, rows, heads[1:])
    )
    results.print(table("Baselines", ("", *_METRICS[:5]), _rows(found["baselines"], _METRICS[:5]), _METRICS))


@app.command()
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
            *(text for path in told for text in (f"{one[path]:.3f}", _change(one["difference"].get(path)))),
            *(f"{one[path]:.3f}" for path in rest),
        )
        for name, one in found["variants"].items()
    ]
    heads = ("", *(head for name in told.values() for head in (name, f"Δ {name}")), *rest.values())
    results.print(
        table(f"{found['rows']:,} clicks; *: the 95 % interval leaves 0 out", heads, rows, heads[1:])
    )


@app.command()
def policy(
    log: Annotated[
        Path, typer.Argument(help="Parquet: user_id, item_id, timestamp, device_type, propensity, reward.")
    ],
    data: Data = None,
    release: Annotated[
        int | None, typer.Option(help="Number of a release; left out: the current one.", show_default=False)
    ] = None,
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

    settings = get_settings()
    rows = read_log(log)
    release_dir = settings.home / "releases" / str(release or require_release(settings))
    with Steps().step("Policy") as note:
        dataset = Dataset.open(data or imported(settings.home))
        found = estimate(release_dir, dataset, rows, settings, temperature, note)
    if json:
        print_json(found)
        return
    lines = [
        (one["estimator"], f"{one['value']:.4f}", _ends(one["interval"]), f"{one['effective_rows']:,.0f}")
        for one in found["estimates"]
    ]
    heads = (found["estimates"][0]["policy"], "value", "95 % interval", "effective rows")
    results.print(
        table(f"{found['rows']:,} decisions that earned {found['logged']:.4f}", heads, lines, heads[1:])
    )


def _bench(data: Path | None, baselines: str) -> Any:
    from recsys.local.shop_data import imported
    from recsys.tune.runs import Bench

    home = get_settings().home
    return Bench(data or imported(home), home / "runs", baselines=baselines)


def _ends(interval: Sequence[float]) -> str:
    return f"{interval[0]:.4f} – {interval[1]:.4f}"


def _change(found: dict[str, Any] | None) -> str:
    if not found:
        return ""
    low, high = found["interval"]
    return f"{found['mean']:+.4f}{'*' if low > 0 or high < 0 else ''}"
