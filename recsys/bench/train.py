"""`recsys bench train`: the pipeline's own steps on synthetic shops of growing size."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recsys.bench import machine
from recsys.bench.growth import exponent
from recsys.errors import BadUse, RecsysError
from recsys.kubeflow.recipe import recipe_of
from recsys.settings import Settings

Note = Callable[[str], None]

STEPS: Final = (
    "validate",
    "features",
    "encode_items",
    "train_retrieval",
    "train_ranking",
    "build_index",
    "assemble_release",
    "evaluate",
)
"""All components that work on the data, in the order of `pipelines.full_training`."""

SHOP: Final = "make_shop"
_SOURCE: Final = "source"
_FIGURES: Final = "figures"
_LIMIT_S: Final = 6 * 3600.0
_ROWS_A_USER: Final = 43
"""As in the published system: 13 million rows of 300,000 users."""


@dataclass(frozen=True)
class TrainOptions:
    """What to measure.

    Attributes:
        rows: Interactions of each shop, over 14 days.
        items: Of each shop.
        folder: Where shops and artefacts are made and left; None for a temporary one.
        seed: Of the shops.
        steps: Which of `STEPS`; what they build on lies in `folder`.
        random: Whether the shops are random rows, which are made in seconds and say nothing about quality.
        resume: Whether steps that ended in `folder` with the same plan are taken as they were.
    """

    rows: tuple[int, ...] = (1_000_000, 3_000_000)
    items: int = 2_465
    folder: Path | None = None
    seed: int = 0
    steps: tuple[str, ...] = STEPS
    random: bool = False
    resume: bool = False


def measure(options: TrainOptions, settings: Settings, note: Note) -> dict[str, Any]:
    """Make each shop and run each step over it, in a process each.

    In a folder that is kept, the figures of a step that has ended stay: a run that broke goes on there.

    Args:
        options: What.
        settings: The recipe.
        note: Told what is being done.

    Returns:
        The document that `recsys bench train --json` prints.

    Raises:
        BadUse: The steps cannot be run alone, or there is no such one.
        RecsysError: A step fails.
    """
    begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    runs: list[dict[str, Any]] = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory(prefix="recsys-bench-") as scratch:
            folder = (options.folder or Path(scratch)) / str(rows)
            for plan in _plans(options, rows, folder, recipe_of(settings)):
                note(f"{rows:,} rows: {plan['step']}")
                runs.append(_shaped(rows, _once(plan, folder / _FIGURES, resume=options.resume)))
    return {
        "begun": begun,
        "machine": machine.describe(),
        "runs": runs,
        "totals": totals(runs),
        "growth": growth(runs),
    }


def _plans(options: TrainOptions, rows: int, folder: Path, recipe: dict[str, Any]) -> list[dict[str, Any]]:
    """What each process is told: the shop, unless it is there for single steps, and then the steps.

    Raises:
        BadUse: There is no such step, or none of the artefacts that single steps build on.
    """
    if unknown := [step for step in options.steps if step not in STEPS]:
        raise BadUse(f"step {unknown[0]}", "there is no such step", f"Steps are {', '.join(STEPS)}")
    steps = [{"step": step, "folder": str(folder), "recipe": recipe} for step in options.steps]
    if options.steps != STEPS:
        if not (folder / _SOURCE).is_dir():
            raise BadUse(str(folder), "holds no shop of that size", "Run all steps with this --folder first")
        return steps
    if not options.resume:
        shutil.rmtree(folder, ignore_errors=True)
    shop: dict[str, Any] = {"users": max(100, rows // _ROWS_A_USER), "items": options.items, "rows": rows}
    shop |= {"seed": options.seed, "random": options.random}
    return [{"step": SHOP, "folder": str(folder / _SOURCE), **shop}, *steps]


def _once(plan: dict[str, Any], figures: Path, *, resume: bool) -> dict[str, Any]:
    """Runs a step, or reads what it came to when it ended."""
    path = figures / f"{plan['step']}.json"
    if resume and path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if kept["plan"] == plan:
            found: dict[str, Any] = kept["figures"]
            return found
    found = _run(plan)
    figures.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"plan": plan, "figures": found}), encoding="utf-8")
    return found


def totals(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each size's whole training, the making of the shop aside.

    Args:
        runs: Of the document.
    """
    found = []
    for rows in dict.fromkeys(run["rows"] for run in runs):
        steps = [run for run in runs if run["rows"] == rows and run["step"] in STEPS]
        seconds, cpu_s = (sum(run[name] for run in steps) for name in ("seconds", "cpu_s"))
        found.append(
            {
                "rows": rows,
                "seconds": round(seconds, 1),
                "cpu_s": round(cpu_s, 1),
                "microseconds_a_row": round(1e6 * seconds / rows, 1),
                "cpu_microseconds_a_row": round(1e6 * cpu_s / rows, 1),
                "peak_mb": max(run["peak_mb"] for run in steps),
            }
        )
    return found


def growth(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """How each step's seconds and memory grow with the rows: exponents, where at least two sizes were run.

    Args:
        runs: Of the document.
    """
    found = []
    for step in dict.fromkeys(run["step"] for run in runs):
        own = [run for run in runs if run["step"] == step]
        if len(own) > 1:
            sizes = [run["rows"] for run in own]
            found.append(
                {"step": step}
                | {key: exponent(sizes, [run[key] for run in own]) for key in ("seconds", "cpu_s", "peak_mb")}
            )
    return found


def _shaped(rows: int, figures: dict[str, Any]) -> dict[str, Any]:
    """Figures of a step with what follows from them."""
    seconds, arithmetic = figures["seconds"], figures["arithmetic_s"]
    return {
        "rows": rows,
        **figures,
        "rows_per_s": round(rows / seconds) if seconds else None,
        "beside_arithmetic_percent": None
        if arithmetic is None
        else round(100 * (1 - arithmetic / seconds), 1),
    }


def _run(plan: dict[str, Any]) -> dict[str, Any]:
    cpu = machine.CpuTimes.read()
    name = plan["step"]
    program = "recsys.bench.train_shop" if name == SHOP else "recsys.bench.train_stage"
    try:
        done = subprocess.run(
            [sys.executable, "-m", program],
            input=json.dumps(plan),
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RecsysError(name, f"did not end within {_LIMIT_S:g} s", "Measure fewer rows") from error
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise RecsysError(name, words[-1] if words else "ended without a word", "Run it with --debug")
    figures: dict[str, Any] = json.loads(done.stdout)
    steal = machine.CpuTimes.read().steal_percent(cpu)
    return figures | {"steal_percent": steal, "load_average": machine.load_average()}
