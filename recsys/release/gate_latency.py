"""How long the models of a request take, a release's and its parent's in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from recsys.errors import BadData
from recsys.serving.graph import MODELS, Model
from recsys.serving.stage import load_stage
from recsys.serving.tensors import TENSORS
from recsys.settings import ServingSettings

Clock = Callable[[], int]
"""Nanoseconds; the default counts this thread's work alone, so other processes do not show."""

_TIMED: Final = ("query_tower", "dlrm_ranking")
"""The stages that run an exported model for each request."""

_LEAST_NS: Final = 2_000_000
_CODES: Final = 4
"""Codes below this are in every table."""


def measure(
    releases: Sequence[Path],
    serving: ServingSettings,
    rounds: int,
    clock: Clock = time.thread_time_ns,
) -> list[dict[str, np.ndarray]]:
    """Runs every release's models for one user in turns, the order turning round each time.

    What the machine does meanwhile (its frequency, its caches) meets all of them alike, so it cancels from
    the ratio of a round; a limit on that ratio holds on any machine.

    Args:
        releases: Folders of artefacts.
        serving: Widths of the tensors.
        rounds: How often.
        clock: What is read before and after.

    Returns:
        Of each release, microseconds a request by stage, float64 [rounds].

    Raises:
        BadData: A model is missing, damaged, or does not run.
    """
    taken: list[dict[str, np.ndarray]] = [{} for _ in releases]
    for model in (one for one in MODELS if one.name in _TIMED):
        stages = [_Timed(model, folder, serving) for folder in releases]
        calls = _calls(stages, clock)
        found = np.empty((len(stages), rounds))
        for number in range(rounds):
            places = range(len(stages))
            for place in places if number % 2 else reversed(places):
                found[place, number] = stages[place].microseconds(calls, clock)
        for own, times in zip(taken, found, strict=True):
            own[model.name] = times
    return taken


def _calls(stages: Sequence[_Timed], clock: Clock) -> int:
    """Calls a round, so that the fastest takes long enough for the clock; the models are warm then."""
    fastest = min(stage.microseconds(3, clock) for stage in stages)
    return int(np.clip(_LEAST_NS / 1_000 / max(fastest, 1e-3), 1, 100))


class _Timed:
    """A stage with one user's request."""

    def __init__(self, model: Model, folder: Path, serving: ServingSettings) -> None:
        parameters = {name: str(getattr(serving, name)) for name in model.parameters}
        self._stage = load_stage(model, folder, parameters)
        self._inputs = {name: _drawn(tensor, serving) for name, tensor in model.inputs.items()}
        for values in self._stage.run(self._inputs).values():
            if not np.isfinite(values).all():
                raise BadData(f"{model.name} of {folder}", "gives no numbers", "Train and export it again")

    def microseconds(self, calls: int, clock: Clock) -> float:
        begun = clock()
        for _ in range(calls):
            self._stage.run(self._inputs)
        return (clock() - begun) / calls / 1_000


def _drawn(name: str, serving: ServingSettings) -> np.ndarray:
    """Values of a tensor that any model takes, [1, …]: codes of every table, numbers from 0 to 1."""
    tensor = TENSORS[name]
    shape, rng = (1, *tensor.dims(serving)), np.random.default_rng(0)
    if tensor.dtype.kind == "f":
        return rng.random(shape).astype(tensor.dtype)
    return rng.integers(0, _CODES, size=shape).astype(tensor.dtype)
