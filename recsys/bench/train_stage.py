"""Runs one step of the training in this process: plan in on stdin, figures out on stdout, both JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from recsys.bench.machine import cpu_seconds, status_mb
from recsys.kubeflow.step import run_step

_TRAINERS: Final = {"train_retrieval": "recsys.models.retrieval", "train_ranking": "recsys.models.ranking"}
"""The steps that train, and the modules whose loop is timed."""


def run(step: str, folder: Path, recipe: dict[str, Any]) -> dict[str, Any]:
    """Run a step.

    Args:
        step: As for `recsys.kubeflow.step.run_step`.
        folder: As there.
        recipe: As there.

    Returns:
        Seconds, the process's CPU time, its greatest memory in MB, and of a step that trains the seconds in
        training steps, that is, in the model's arithmetic.
    """
    arithmetic = _timed(_TRAINERS[step]) if step in _TRAINERS else None
    begun = time.perf_counter()
    notes = run_step(step, folder, recipe)
    seconds = time.perf_counter() - begun
    return {
        "step": step,
        "seconds": round(seconds, 2),
        "cpu_s": cpu_seconds(),
        "arithmetic_s": None if arithmetic is None else round(arithmetic(), 2),
        "peak_mb": round(status_mb("VmHWM"), 1),
        "notes": notes,
    }


def _timed(module: str) -> Callable[[], float]:
    """Time the training steps of a module's loop; the first, which traces the graph, is not one of them."""
    loop: Any = import_module(module)
    fit, spent = loop.fit, [0.0, 0]

    def timing(*args: Any, step: Callable[..., Any], **more: Any) -> Any:
        def one(*batch: Any) -> float:
            begun = time.perf_counter()
            loss = float(step(*batch))
            spent[0] += (time.perf_counter() - begun) if spent[1] else 0.0
            spent[1] += 1
            return loss

        return fit(*args, step=one, **more)

    loop.fit = timing
    return lambda: spent[0]


if __name__ == "__main__":
    plan = json.load(sys.stdin)
    out = sys.stdout
    sys.stdout = sys.stderr  # libraries greet on stdout
    json.dump(run(plan["step"], Path(plan["folder"]), plan["recipe"]), out)
