"""`recsys precompute`: recommendations of all users, for when the ensemble is not to be had."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from recsys.cli.options import Json
from recsys.cli.output import print_json, results
from recsys.cli.steps import Note, Steps
from recsys.settings import Settings, get_settings

if TYPE_CHECKING:
    from recsys.online.precompute import Outcome

_TIMEOUT_S: Final = 30.0


def precompute(
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Batches of users at a time.")] = 2,
    again: Annotated[
        bool, typer.Option("--again", help="Also users who have a young answer of this release.")
    ] = False,
    json: Json = False,
) -> None:
    """Write recommendations for all known users to Valkey, where they live for some days."""
    with Steps().step("Recommendations for all users") as note:
        told = run(concurrency, again=again, note=note)
    if json:
        print_json(told)
    else:
        results.print(
            f"{told['written']:,} of {told['users']:,} users answered by release {told['release']}, "
            f"{told['kept']:,} had a young answer, {told['degraded']:,} only a fallback"
        )


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
    from recsys import valkey
    from recsys.local.fill import settings_at
    from recsys.local.services import require_ready, supervisor
    from recsys.online.precompute import Precompute, known_users
    from recsys.serving.client import RecommendClient

    at_work, began = supervisor(get_settings()), time.monotonic()
    address = require_ready(at_work, "triton")["grpc"]
    settings = settings_at(get_settings(), require_ready(at_work, "valkey")["url"])
    with ExitStack() as open_ones:
        client = open_ones.enter_context(valkey.connect(_patient(settings)))
        users = sorted(set(known_users(client)))
        tritons = [open_ones.enter_context(RecommendClient(address, _TIMEOUT_S)) for _ in range(concurrency)]

        def progress(outcome: Outcome) -> None:
            note(f"{outcome.done:,} of {len(users):,}", outcome.done / len(users))

        job = Precompute(tritons, client, settings, None if again else at_work.release)
        outcome = job.run(users, progress)
    return {"release": at_work.release, **asdict(outcome), "seconds": round(time.monotonic() - began, 1)}


def _patient(settings: Settings) -> Any:
    """Time limits of a job that nobody waits for."""
    return settings.valkey.model_copy(update={"timeout_s": 5.0, "connect_timeout_s": 2.0})
