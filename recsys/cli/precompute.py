"""`recsys precompute`: recommendations of all users, for when the ensemble is not to be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli.options import Json
from recsys.cli.output import print_json, results
from recsys.cli.steps import Note, Steps
from recsys.settings import get_settings

if TYPE_CHECKING:
    from recsys.online.precompute import Outcome


def precompute(
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Batches of users at a time.")] = 2,
    again: Annotated[
        bool, typer.Option("--again", help="Also users who have a young answer of this release.")
    ] = False,
    json: Json = False,
) -> None:
    """Write recommendations for all known users to Valkey, where they live for some days."""
    from recsys.online.precompute_job import sentence

    with Steps().step("Recommendations for all users") as note:
        told = run(concurrency, again=again, note=note)
    if json:
        print_json(told)
    else:
        results.print(sentence(told))


def run(concurrency: int, *, again: bool, note: Note) -> dict[str, Any]:
    """Ask the running ensemble for everybody.

    Args:
        concurrency: Batches of users at a time.
        again: Whether to ask for users who have a young answer.
        note: Told how far it is.

    Returns:
        The document that `recsys precompute --json` prints.

    Raises:
        Unavailable: Triton or Valkey does not run or did not answer; the next run goes on where it ended.
    """
    from recsys.local.fill import settings_at
    from recsys.local.services import require_ready, supervisor
    from recsys.online.precompute_job import answer_all

    at_work = supervisor(get_settings())
    address = require_ready(at_work, "triton")["grpc"]
    settings = settings_at(get_settings(), require_ready(at_work, "valkey")["url"])
    here = settings.model_copy(update={"gateway": settings.gateway.model_copy(update={"triton": address})})

    def progress(outcome: Outcome, users: int) -> None:
        note(f"{outcome.done:,} of {users:,}", outcome.done / users)

    return answer_all(here, concurrency=concurrency, again=again, progress=progress)
