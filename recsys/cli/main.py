"""The `recsys` command: its groups, its global options, and how failures are told."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from recsys.cli import (
    bench,
    capacity,
    data,
    demo,
    doctor,
    evaluate,
    event,
    items,
    keys,
    pipeline,
    precompute,
    recommend,
    release,
    services,
    tune,
)
from recsys.cli.failures import explain
from recsys.settings import get_settings

app = typer.Typer(
    name="recsys",
    help="A multistage, multimodal recommender: trained by Kubeflow pipelines, served by NVIDIA Triton.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(data.app, name="data")
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(release.app, name="release")
app.add_typer(items.app, name="items")
app.add_typer(bench.app, name="bench")
app.add_typer(keys.app, name="keys")
app.add_typer(evaluate.app, name="evaluate")
for command in (
    services.up,
    services.down,
    services.status,
    recommend.recommend,
    event.event,
    precompute.precompute,
    doctor.doctor,
    demo.demo,
    capacity.capacity,
    tune.tune,
):
    app.command()(command)

_INTERRUPTED = 130  # what Typer makes of Ctrl-C
_GLOBAL_VALUES = ("--home",)
_GLOBAL_FLAGS = ("--debug",)


@app.callback()
def _options(
    home: Annotated[
        Path | None, typer.Option(help="Folder of all state.", envvar="RECSYS_HOME", show_default="./var")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """Options of every command; they may also stand after it."""
    if home is not None:
        # Through the environment, so that the processes which a command starts see it too.
        os.environ["RECSYS_HOME"] = str(home.expanduser().absolute())
        get_settings.cache_clear()
    get_settings()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process: 0 done, 1 failed, 2 bad use, 130 interrupted.

    Args:
        arguments: What stands behind `recsys` on the command line; None for this process's own.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(_global_first(given), prog_name="recsys", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) left; Python must not complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        # The outermost place: whatever it is, the user gets one line.
        if "--debug" in given:
            raise
        message, code = explain(error)
        print(f"recsys: {message}", file=sys.stderr)
    if code == _INTERRUPTED:
        print("recsys: interrupted", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _global_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with the global options in front, so that they may stand anywhere before `--`."""
    front: list[str] = []
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        if argument == "--":
            rest += [argument, *queue]
            break
        if argument in _GLOBAL_FLAGS or argument.startswith(tuple(f"{name}=" for name in _GLOBAL_VALUES)):
            front.append(argument)
        elif argument in _GLOBAL_VALUES:
            front += [argument, *queue[:1]]
            del queue[:1]
        else:
            rest.append(argument)
    return front + rest
