"""Starts the process that sends a plan's load, and brings back its outcome."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from recsys.bench.cell import Outcome, Plan
from recsys.errors import RecsysError

LOAD: Final = "recsys.bench.load"
HTTP_LOAD: Final = "recsys.bench.http_load"
FLOOR: Final = "recsys.bench.floor"
ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""Keeps the numerical libraries of a process on one thread."""
_GRACE_S: Final = 60.0
"""For starting, loading a release and the answers still under way at the end."""


def run(program: str, plan: Plan, variables: Mapping[str, str] | None = None) -> Outcome:
    """Carry out a plan in a process of its own.

    Args:
        program: `LOAD`, `HTTP_LOAD` or `FLOOR`.
        plan: What to do.
        variables: Environment beside this process's own.

    Raises:
        RecsysError: It ended without an outcome or did not end in time.
    """
    limit_s = plan.warm_up_s + 8 * plan.seconds + plan.timeout_s + _GRACE_S
    try:
        done = subprocess.run(
            [sys.executable, "-m", program],
            input=json.dumps(asdict(plan)),
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
            env={**os.environ, **(variables or {})},
        )
    except subprocess.TimeoutExpired as error:
        raise RecsysError(program, f"did not end within {limit_s:g} s", "Measure fewer requests") from error
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise RecsysError(program, words[-1] if words else "ended without a word", "Run it with --debug")
    return Outcome(**json.loads(done.stdout))
