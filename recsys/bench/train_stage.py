"""Runs one step of the training in this process: plan in on stdin, figures out on stdout, both JSON."""

from __future__ import annotations

import inspect
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from recsys.bench.machine import cpu_seconds, status_mb

_TRAINERS: Final = {"train_retrieval": "recsys.models.retrieval", "train_ranking": "recsys.models.ranking"}
"""The steps that train, and the modules whose loop is timed."""


@dataclass
class _Artefact:
    """Stands in for one of Kubeflow's: a place, and notes on it."""

    path: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def log_metric(self, name: str, value: float) -> None:
        """Keep a figure."""
        self.metadata[name] = value


def run(step: str, folder: Path, recipe: dict[str, Any]) -> dict[str, Any]:
    """Run a step.

    Args:
        step: Name of a module in `components` and of the component in it.
        folder: Artefacts, one folder each under the names of the components' parameters; `source` is the data
            set as it came.
        recipe: Of `recsys.kubeflow.recipe`.

    Returns:
        Seconds, the process's CPU time, its greatest memory in MB, and of a step that trains the seconds in
        training steps, that is, in the model's arithmetic.
    """
    component = getattr(import_module(f"components.{step}"), step)
    arithmetic = _timed(_TRAINERS[step]) if step in _TRAINERS else None
    for name in component.component_spec.outputs or {}:  # what a run that broke may have left
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(component.python_func).parameters.items():
        if name == "recipe":
            given[name] = recipe
        elif parameter.annotation is dict:
            given[name] = {}  # the rest is as it is by default
        elif parameter.default is inspect.Parameter.empty:
            given[name] = _Artefact(str(folder / name))
    begun = time.perf_counter()
    component.python_func(**given)
    seconds = time.perf_counter() - begun
    notes = {
        key: value
        for each in given.values()
        if isinstance(each, _Artefact)
        for key, value in each.metadata.items()
    }
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
