"""Batch answers of all known users, as `recsys precompute` and a Kubernetes CronJob make them.

    python -m recsys.online.precompute_job

asks the ensemble that RECSYS_GATEWAY__TRITON names, as the gateway does, and writes to Valkey.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Final

from recsys import valkey
from recsys.errors import told_in_a_line
from recsys.online.precompute import Outcome, Precompute, known_users
from recsys.schema import UNKNOWN
from recsys.serving.client import RecommendClient
from recsys.settings import Settings, get_settings

_TIMEOUT_S: Final = 30.0

Progress = Callable[[Outcome, int], None]
"""Told what is done, and of how many users."""


def answer_all(
    settings: Settings, *, concurrency: int = 2, again: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Ask the ensemble for everybody of whom the feature store knows anything.

    Args:
        settings: `gateway.triton`, Valkey, and the life of an answer.
        concurrency: Batches of users at a time.
        again: Whether to ask for users who have a young answer.
        progress: Told after each batch.

    Returns:
        The document that `recsys precompute --json` prints.

    Raises:
        Unavailable: Triton or Valkey did not answer; the next run goes on where this one ended.
    """
    began = time.monotonic()
    # Time limits of a job that nobody waits for.
    patient = settings.valkey.model_copy(update={"timeout_s": 5.0, "connect_timeout_s": 2.0})
    with ExitStack() as open_ones:
        client = open_ones.enter_context(valkey.connect(patient))
        users = sorted(set(known_users(client)))
        address = settings.gateway.triton
        tritons = [open_ones.enter_context(RecommendClient(address, _TIMEOUT_S)) for _ in range(concurrency)]
        release = tritons[0].recommend([UNKNOWN])[0].release
        job = Precompute(tritons, client, settings, None if again else release)
        told = None if progress is None else lambda outcome: progress(outcome, len(users))
        outcome = job.run(users, told)
    return {"release": release, **asdict(outcome), "seconds": round(time.monotonic() - began, 1)}


def sentence(told: dict[str, Any]) -> str:
    """What `answer_all` did, in words."""
    return (
        f"{told['written']:,} of {told['users']:,} users answered by release {told['release']}, "
        f"{told['kept']:,} had a young answer, {told['degraded']:,} only a fallback"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m recsys.online.precompute_job`; says in one line what it did, or why it could not."""
    parser = argparse.ArgumentParser(
        prog="python -m recsys.online.precompute_job", description="Batch answers of all users."
    )
    parser.add_argument("--concurrency", type=int, default=2, help="batches of users at a time")
    options = parser.parse_args(arguments)
    with told_in_a_line():
        told = answer_all(get_settings(), concurrency=options.concurrency)
    sys.stdout.write(f"{sentence(told)}\n")


if __name__ == "__main__":
    main()
