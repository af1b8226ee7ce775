"""`recsys pipeline submit`: start a compiled pipeline on a cluster."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import Json
from recsys.cli.output import print_json, results
from recsys.cli.steps import Steps


def submit(
    package: Annotated[
        Path, typer.Argument(help="IR YAML of `recsys pipeline compile`.", show_default=False)
    ],
    *,
    endpoint: Annotated[
        str,
        typer.Option(
            help="Address of Kubeflow Pipelines' API.", envvar="RECSYS_KFP_ENDPOINT", show_default=False
        ),
    ],
    argument: Annotated[
        list[str] | None,
        typer.Option(help="name=value, repeatable; all but strings as JSON.", show_default=False),
    ] = None,
    experiment: Annotated[str, typer.Option(help="Runs are grouped by it.")] = "recsys",
    name: Annotated[str | None, typer.Option(help="Of the run.", show_default="file and time")] = None,
    service_account: Annotated[str, typer.Option(help="That the steps run as.")] = "pipeline-runner",
    namespace: Annotated[str, typer.Option(help="Of a multi-user Kubeflow.", show_default=False)] = "",
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with a bearer token.", envvar="KF_PIPELINES_SA_TOKEN_PATH", show_default=False
        ),
    ] = None,
    wait: Annotated[
        float | None, typer.Option(min=1, help="Wait so many seconds for its end.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Start a compiled pipeline on a Kubeflow Pipelines server."""
    from recsys.kubeflow.arguments import parse_arguments, read_package
    from recsys.kubeflow.submit import PipelineServer, read_token

    document = read_package(package)
    arguments = parse_arguments(document, argument or ())
    server = PipelineServer(endpoint, read_token(token_file), namespace)
    run = server.submit(
        document,
        arguments,
        name=name or f"{package.stem} {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())}",
        experiment=experiment,
        service_account=service_account,
    )
    if wait is not None:
        with Steps().step(f"Run {run.run_id}") as note:
            server.wait(run.run_id, wait, note)
    if json:
        print_json({"run": run.run_id, "url": run.url})
    else:
        results.print(f"Run {run.run_id}: {run.url}", soft_wrap=True)
