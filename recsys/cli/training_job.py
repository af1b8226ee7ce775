"""`recsys pipeline training-job`: the towers' training over several nodes of a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.output import messages
from recsys.settings import get_settings


def training_job(
    *,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes, one a node.")] = 2,
    image: Annotated[
        str | None, typer.Option(help="Container image of the steps.", show_default=False)
    ] = None,
    cpu_only: Annotated[bool, typer.Option("--cpu-only", help="Without a GPU for each.")] = False,
    claim: Annotated[str, typer.Option(help="Volume with the artefacts.")] = "recsys-training",
    folder: Annotated[str, typer.Option(help="Where in the volume they are.")] = ".",
    name: Annotated[str, typer.Option(help="Of the job.")] = "recsys-towers",
    namespace: Annotated[str, typer.Option(help="Where it runs; kubectl's own when empty.")] = "",
    out: Annotated[Path | None, typer.Option(help="File; standard output without it.")] = None,
) -> None:
    """Write the TFJob that trains the two towers on several nodes, with this machine's recipe."""
    from components.image import TRAINING_IMAGE
    from recsys.kubeflow.recipe import recipe_of
    from recsys.kubeflow.training_job import TrainingJob

    recipe = {"training": recipe_of(get_settings())["training"]}
    job = TrainingJob(
        workers,
        image or TRAINING_IMAGE,
        recipe,
        gpu=not cpu_only,
        claim=claim,
        folder=folder,
        name=name,
        namespace=namespace,
    )
    if out is None:
        typer.echo(job.yaml(), nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(job.yaml(), encoding="utf-8")
    messages.print(f"{out}; start it with `kubectl create -f {out}`", soft_wrap=True)
