"""Pipeline runs that are measured: each step's time, kept beside the run so that a broken one goes on."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from recsys.errors import BadUse
from recsys.kubeflow import StepEvent
from recsys.release import files

_NOT_LEARNING: Final = {"take current", "remeasure", "evaluate", "gate", "publish", "promote"}
"""Steps that measure and publish; the others make the release."""

_TIMES: Final = "times.json"
Note = Callable[[str], None]


@dataclass
class Run:
    """One pipeline's run.

    Attributes:
        release: Which release it made; 0 until it has.
        steps: Seconds of each step by the clock.
        cpu_steps: Seconds of each step on the CPU.
        loads: Processes that wanted to run when each step ended, on average over the last minute.
    """

    release: int = 0
    steps: dict[str, float] = field(default_factory=dict)
    cpu_steps: dict[str, float] = field(default_factory=dict)
    loads: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """From the data to the assembled release."""
        return sum(_learning(self.steps).values())

    @property
    def cpu_seconds(self) -> float:
        """The processors' time within it, which other work on the machine hardly changes."""
        return sum(_learning(self.cpu_steps).values())

    @property
    def load(self) -> float:
        """The machine's load while it learned, each step weighted by its seconds; 0 where none is known."""
        known = {step: seconds for step, seconds in _learning(self.steps).items() if step in self.loads}
        whole = sum(known.values())
        return sum(seconds * self.loads[step] for step, seconds in known.items()) / whole if whole else 0.0


def timed(folder: Path, note: Note, make: Callable[[Callable[[StepEvent], None]], int]) -> Run:
    """Runs a pipeline and takes its steps' times; steps that an earlier run ended keep theirs.

    That was a broken run of the same, or one with other settings, whose folder's name begins alike up to `-`.

    Args:
        folder: Keeps the times, and is named as the run is in notes.
        note: Told which step starts.
        make: Runs the pipeline, given what is to be told of its events; the release's number.

    Raises:
        BadUse: A step's output is kept from an earlier run and its time is not.
        RecsysError: A step failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _TIMES
    run = Run(**json.loads(path.read_text())) if path.exists() else Run()
    begun = cpu_seconds()

    def show(event: StepEvent) -> None:
        nonlocal begun
        if event.state == "started":
            begun = cpu_seconds()
            note(f"{folder.name}: {event.step}")
        elif event.state == "done":
            run.steps[event.step] = event.seconds
            run.cpu_steps[event.step] = cpu_seconds() - begun
            run.loads[event.step] = os.getloadavg()[0]
            _keep(path, run)
        elif event.state == "reused" and event.step not in run.steps:
            _take_over(run, event.step, folder)

    run.release = make(show)
    _keep(path, run)
    return run


def _take_over(run: Run, step: str, folder: Path) -> None:
    for path in sorted(folder.parent.glob(f"{folder.name.split('-')[0]}-*/{_TIMES}")):
        other = Run(**json.loads(path.read_text()))
        if step in other.steps:
            run.steps[step] = other.steps[step]
            run.cpu_steps[step] = other.cpu_steps[step]
            run.loads[step] = other.loads[step]
            return
    cause = f"what step {step} put out is kept, how long it took is not"
    raise BadUse(str(folder.parent), cause, "Remove this folder and measure again")


def cpu_seconds() -> float:
    """What all ended processes that this one started have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _learning(steps: dict[str, float]) -> dict[str, float]:
    return {step: value for step, value in steps.items() if step not in _NOT_LEARNING}


def _keep(path: Path, run: Run) -> None:
    files.write_atomic(path, json.dumps(asdict(run), indent=2).encode())
