"""What a daily fine-tuning brings beside training everything anew: how much of its gain, in what time."""

from __future__ import annotations

import dataclasses
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from recsys.data.dataset import Dataset
from recsys.data.splits import split_by_time
from recsys.kubeflow import StepEvent, run_daily, run_full
from recsys.kubeflow.full import RELEASES
from recsys.models import metrics
from recsys.models.outcomes import Outcomes
from recsys.models.remeasure import remeasure
from recsys.release.bootstrap import Draws
from recsys.settings import GateSettings, Settings

_NOT_LEARNING: Final = {"take current", "remeasure", "evaluate", "gate", "publish", "promote"}
"""Steps that measure and publish; the others make the release."""

_OPEN_GATE: Final = GateSettings(
    retrieval_hit=0,
    ranker_auc=0,
    over_popularity=0,
    over_retrieval=0,
    coverage=0,
    alive=0,
    calibration_error=1,
    compare=False,
    rounds=3,
    resamples=50,
)
Note = Callable[[str], None]


@dataclass
class _Run:
    """One pipeline's run: which release it made, and each step's seconds, by the clock and on the CPU."""

    release: int = 0
    steps: dict[str, float] = field(default_factory=dict)
    cpu_steps: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """From the data to the assembled release."""
        return _learning(self.steps)

    @property
    def cpu_seconds(self) -> float:
        """The processors' time within it, which other work on the machine hardly changes."""
        return _learning(self.cpu_steps)


def measure(
    data: Path, settings: Settings, parent_days: Sequence[int], new_days: Sequence[int], note: Note
) -> dict[str, Any]:
    """Trains a parent, fine-tunes it on new days, trains anew on all, and measures all three on the next day.

    Each is a run of the pipelines in a home of its own, so nothing is reused from another run.

    Args:
        data: Folder of a data set; it holds a day after the new ones.
        settings: The recipe; limits of the gate play no part, for a refused parent would have no child.
        parent_days: Days the parent is trained on.
        new_days: Days that are learned.
        note: Told what is being done.

    Returns:
        {"days": {"parent", "new", "judged_by"}, "rows", "parent", "daily", "retrained": {"ndcg@10",
        "hit@300", "seconds", "cpu_seconds", "steps"}, "gain": {"daily", "retrained"}: {"value", "low",
        "high"}, "gain_share", "time_share", "cpu_share"}. `gain` is of the chain's NDCG@10 over the parent,
        with a 95 % interval over users; seconds are those from the data to the assembled release, without
        measuring it.

    Raises:
        BadUse: A day is not there, or none comes after the new ones.
        RecsysError: A step failed.
    """
    every_day = sorted({*parent_days, *new_days})
    dataset = Dataset.open(data)
    split = split_by_time(dataset.days, every_day)
    judged_by = dataclasses.replace(dataset, split={**split, "valid": split["valid"][:1]})
    settings.home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=settings.home, prefix="bench-daily-") as folder:
        home, hurried = Path(folder), _hurried(settings)
        parent = _run(note, "parent", lambda show: run_full(data, home, hurried, show, parent_days))
        daily = _run(
            note,
            "daily",
            lambda show: run_daily(data, home, hurried, show, days=new_days, release=parent.release),
        )
        anew = _run(note, "retrained", lambda show: run_full(data, home, hurried, show, every_day))
        runs = {"parent": parent, "daily": daily, "retrained": anew}
        found = {}
        for name, run in runs.items():
            note(f"{name}: measuring on day {split['valid'][0]}")
            found[name] = remeasure(home / RELEASES / str(run.release), judged_by, settings)
    days = {"parent": list(parent_days), "new": list(new_days), "judged_by": split["valid"][0]}
    return {"days": days, **summary(runs, found)}


def summary(runs: dict[str, _Run], found: dict[str, Outcomes]) -> dict[str, Any]:
    """The numbers of `measure`, from what each release did with the same rows."""
    ranks = {name: _ranks(outcomes) for name, outcomes in found.items()}
    user = found["parent"]["user"]
    gain = {name: _gain(user, ranks["parent"], ranks[name]) for name in ("daily", "retrained")}
    whole = gain["retrained"]["value"]
    return {
        "rows": len(ranks["parent"]),
        **{
            name: {
                "ndcg@10": metrics.ndcg(ranks[name], 10),
                "hit@300": metrics.hit(ranks[name], 300),
                "seconds": run.seconds,
                "cpu_seconds": run.cpu_seconds,
                "steps": run.steps,
            }
            for name, run in runs.items()
        },
        "gain": gain,
        "gain_share": gain["daily"]["value"] / whole if whole > 0 else None,
        "time_share": runs["daily"].seconds / runs["retrained"].seconds,
        "cpu_share": runs["daily"].cpu_seconds / runs["retrained"].cpu_seconds,
    }


def _ranks(outcomes: Outcomes) -> np.ndarray:
    """The click's rank in the final order of each row."""
    rank = outcomes["chain_rank"].astype(np.int64)
    return np.where(rank == 0, metrics.MISSED, rank)


def _gain(user: np.ndarray, before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """How much greater NDCG@10 is, with its interval over users."""
    users, of_row = np.unique(user, return_inverse=True)
    per_row = _discounted(after) - _discounted(before)
    total, count = np.bincount(of_row, per_row), np.bincount(of_row)
    made = Draws().interval(lambda weights: weights @ total / (weights @ count), len(users))
    return dataclasses.asdict(made)


def _discounted(rank: np.ndarray) -> np.ndarray:
    """NDCG@10 of each row."""
    found: np.ndarray = np.where(rank <= 10, 1 / np.log2(np.minimum(rank, 10) + 1), 0.0)
    return found


def _learning(steps: dict[str, float]) -> float:
    return sum(seconds for step, seconds in steps.items() if step not in _NOT_LEARNING)


def _run(note: Note, name: str, make: Callable[[Callable[[StepEvent], None]], int]) -> _Run:
    run = _Run()

    begun = _cpu_seconds()

    def show(event: StepEvent) -> None:
        nonlocal begun
        if event.state == "done":
            run.steps[event.step] = event.seconds
            run.cpu_steps[event.step] = _cpu_seconds() - begun
        elif event.state == "started":
            begun = _cpu_seconds()
            note(f"{name}: {event.step}")

    run.release = make(show)
    return run


def _cpu_seconds() -> float:
    """What all ended processes that this one started have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _hurried(settings: Settings) -> Settings:
    """The same training, hardly judged by its pipeline: all are measured again, on the same rows."""
    few = {"rows": 1_000, "anonymous_rows": 100, "auc_rows": 1_000}
    evaluation = settings.evaluation.model_copy(update=few)
    return settings.model_copy(update={"evaluation": evaluation, "gate": _OPEN_GATE})
