"""`recsys pipeline`: train in Kubeflow pipelines on this machine, or compile them for a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.status import Status

from recsys.cli.options import DataDir, Days, Json, parse_days
from recsys.cli.output import messages, print_json, results
from recsys.cli.pipeline_submit import submit
from recsys.cli.steps import Steps
from recsys.cli.training_job import training_job
from recsys.errors import BadUse
from recsys.settings import get_settings

app = typer.Typer(help="Train in Kubeflow pipelines.", no_args_is_help=True)
run = typer.Typer(help="Run a pipeline on this machine.", no_args_is_help=True)
app.add_typer(run, name="run")
app.command()(submit)
app.command("training-job")(training_job)


@run.command()
def full(data: DataDir, days: Days = "", json: Json = False) -> None:
    """Train everything on a data set and publish a release; the days after those given validate."""
    _tell(train(data, Steps(), parse_days(days)), json)


@run.command()
def daily(
    data: DataDir,
    days: Days = "",
    release: Annotated[
        int, typer.Option(min=0, help="The release that learns.", show_default="the current one")
    ] = 0,
    json: Json = False,
) -> None:
    """Fine-tune a release on new days; left out: all since its training but the newest, which judges."""
    from recsys.kubeflow import StepEvent, run_daily
    from recsys.local.promotion import promote_here

    settings, wanted, served = get_settings(), parse_days(days), False
    with _shown(Steps()) as show:

        def promote(number: int) -> None:
            nonlocal served

            def told(replica: str, event: str) -> None:
                show(StepEvent("", "note", message=f"{replica}: {event}"))

            served = promote_here(settings, number, told) is not None

        made = run_daily(data, settings.home, settings, show, days=wanted, release=release, promote=promote)
    _tell(made, json, served)


def _tell(release: int, json: bool, served: bool = False) -> None:
    """Have running servers serve the release if it is current now, and say what became of it."""
    from recsys.local.promotion import follow
    from recsys.release.store import ReleaseStore

    with Steps().step("Running servers") as note:
        promoted = follow(get_settings(), lambda name, event: note(f"{name}: {event}"))
    current = ReleaseStore(get_settings().home / "releases").current()
    if json:
        print_json({"release": release, "current": current})
        return
    if promoted or served:
        results.print(f"Release {release} is served; `recsys release show {release}` says more.")
        return
    serve = "recsys up" if current == release else f"recsys release promote {release}"
    results.print(
        f"Release {release} is there; `recsys release show {release}` says more, `{serve}` serves it."
    )


@app.command("compile")
def compile_all(
    out: Annotated[Path, typer.Option(help="Folder for the IR YAML.")] = Path("build/pipelines"),
    image: Annotated[
        str | None, typer.Option(help="Container image of the steps.", show_default=False)
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE for every step, such as RECSYS_MLFLOW__URI=…", show_default=False),
    ] = None,
) -> None:
    """Write the pipelines' IR YAML for a cluster."""
    from recsys.kubeflow import compile_pipelines

    given = dict(one.partition("=")[::2] for one in env or ())
    if not all(name and value for name, value in given.items()):
        raise BadUse("--env", f"{env} is not NAME=VALUE", "Write it like RECSYS_RELEASES__KEEP=20")
    for path in compile_pipelines(out, image, given):
        results.print(str(path), soft_wrap=True)


def train(data: Path, steps: Steps, days: Sequence[int] = ()) -> int:
    """Run the full training and keep a clean copy of its data, which `recsys evaluate` reads.

    Args:
        data: Folder of a data set.
        steps: Where progress is shown.
        days: To train on; empty for the usual ones.

    Returns:
        The release number.

    Raises:
        BadData: The data set cannot be used.
        RecsysError: A step failed, or the gate refused the release.
    """
    from recsys.kubeflow import run_full
    from recsys.local.shop_data import import_data

    settings = get_settings()
    with _shown(steps) as show:
        release = run_full(data, settings.home, settings, show, days)
    with steps.step("Clean copy of the data") as note:
        import_data(data, settings.home, note)
    return release


@contextmanager
def _shown(steps: Steps) -> Iterator[Any]:
    """A function that shows the pipeline's events: one line a step, a spinner on the current one."""
    spinner: Status | None = messages.status("Pipeline") if messages.is_terminal else None
    if spinner is not None:
        spinner.start()

    def show(event: Any) -> None:
        title = f"[{event.index}/{event.total}] {event.step}".replace("[", r"\[", 1)
        if event.state in ("done", "reused"):
            memory = f"{event.peak_mib:,} MiB" if event.peak_mib else ""
            steps.done(title, event.seconds, "unchanged, reused" if event.state == "reused" else memory)
        elif event.state == "failed":
            messages.print(f"[red]✗[/] {title}", soft_wrap=True)
        elif event.state == "note":
            messages.print(f"  {event.message}", soft_wrap=True, markup=False)
        elif spinner is not None:
            spinner.update(f"{title}  [dim]{event.message}[/]")
        elif event.state == "started":
            messages.print(f"… {title}", soft_wrap=True)

    try:
        yield show
    finally:
        if spinner is not None:
            spinner.stop()
