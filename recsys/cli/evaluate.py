"""`recsys evaluate`: how good the current release is, beside baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.cli.evaluate_runs import Data, Release, ablation, policy, seeds, towers
from recsys.cli.evaluate_tables import show
from recsys.cli.options import Json
from recsys.cli.output import messages, print_json
from recsys.cli.steps import Steps
from recsys.settings import get_settings

app = typer.Typer(help="Measure the current release on the days after its training, beside baselines.")
for command in (seeds, ablation, towers, policy):
    app.command()(command)


@app.callback(invoke_without_command=True)
def evaluate(
    context: typer.Context,
    *,
    data: Data = None,
    release: Release = None,
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
    from recsys.release.lineage import judged_by

    dataset = judged_by(Dataset.open(data or imported(settings.home)), release_dir)
    steps = Steps()
    with steps.step("Evaluate") as note:
        document = measure(release_dir, dataset, settings, note, baselines)
    if ordering:
        from recsys.models.ordering import measure as reorder

        with steps.step("Ordering") as note:
            document["ordering"] = reorder(release_dir, dataset, settings, note)
    if report is not None:
        _write(report, document, f"release {release_dir.name}")
    if json:
        print_json(document)
    else:
        show(document)


def _write(path: Path, document: dict[str, Any], of: str) -> None:
    from recsys.release.evaluation_report import evaluation_page

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(evaluation_page(document, of), encoding="utf-8")
    messages.print(f"Report: {path}")
