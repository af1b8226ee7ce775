"""`recsys evaluate`: how good the current release is, beside baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.cli.options import Json
from recsys.cli.output import print_json, results, table
from recsys.cli.steps import Steps
from recsys.settings import get_settings

_METRICS = ("hit@10", "hit@100", "hit@300", "ndcg@10", "mrr", "coverage@10")


def evaluate(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of a data set; left out: the one trained on.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Measure the current release on the days after its training, beside baselines."""
    from recsys.local.services import require_release

    settings = get_settings()
    release_dir = settings.home / "releases" / str(require_release(settings))
    from recsys.data.dataset import Dataset
    from recsys.local.shop_data import imported
    from recsys.models.evaluate import evaluate as measure

    dataset = Dataset.open(data or imported(settings.home))
    with Steps().step("Evaluate") as note:
        document = measure(release_dir, dataset, settings, note)
    if json:
        print_json(document)
    else:
        show(document)


def show(document: dict[str, Any]) -> None:
    """Print an evaluation as a table.

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
    rows = [
        (name.replace("_", " "), *(_number(found.get(metric)) for metric in _METRICS))
        for name, found in lines.items()
    ]
    heading = f"{document['rows']:,} clicks of the days after training"
    results.print(table(heading, ("", *_METRICS), rows, right=_METRICS))
    results.print(f"Ranker AUC {document['ranker']['auc']:.3f}")


def _oracles(found: dict[str, Any]) -> dict[str, Any]:
    """Those of the days that are evaluated, where the data set tells them apart."""
    return {name: one for name, one in found.items() if "valid_days" in name} or found


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
