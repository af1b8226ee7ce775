"""What a daily fine-tuning brings beside training everything anew: how much of its gain, in what time."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from recsys.bench.daily_runs import Note, Run, timed
from recsys.data.dataset import Dataset
from recsys.data.splits import split_by_time
from recsys.kubeflow import run_daily, run_full
from recsys.kubeflow.full import RELEASES
from recsys.kubeflow.inputs import fingerprint
from recsys.kubeflow.recipe import recipe_of
from recsys.models import metrics
from recsys.models.outcomes import OUTCOMES_FILE, Outcomes
from recsys.models.remeasure import remeasure
from recsys.release.bootstrap import Draws
from recsys.release.digest import json_sha256
from recsys.settings import GateSettings, Settings

_PLACE: Final = "bench-daily"
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


def measure(
    data: Path,
    settings: Settings,
    parent_days: Sequence[int],
    new_days: Sequence[int],
    note: Note,
    *,
    keep: bool = False,
) -> dict[str, Any]:
    """Trains a parent, fine-tunes it on new days, trains anew on all, and measures all three on the next day.

    Parent and daily are runs of the pipelines in one home, the training anew in another, so that no step is
    reused from another run. A measurement that broke goes on in the step it was in.

    Args:
        data: Folder of a data set; it holds a day after the new ones.
        settings: The recipe; limits of the gate play no part, for a refused parent would have no child.
        parent_days: Days the parent is trained on.
        new_days: Days that are learned.
        note: Told what is being done.
        keep: Leaves the releases in `bench-daily` below the home, where the next call finds them finished;
            with other settings of the fine-tuning it makes that one anew and nothing else.

    Returns:
        {"days": {"parent", "new", "judged_by"}, "rows", "parent", "daily", "retrained": {"ndcg@10",
        "hit@300", "seconds", "cpu_seconds", "load", "steps", "cpu_steps"}, "gain": {"daily", "retrained"}:
        {"value", "low", "high"}, "gain_share", "time_share", "cpu_share"}. `gain` is of the chain's NDCG@10
        over the parent, with a 95 % interval over users; seconds are those from the data to the assembled
        release, without measuring it; `load` is the machine's meanwhile.

    Raises:
        BadUse: A day is not there, or none comes after the new ones.
        RecsysError: A step failed.
    """
    every_day = sorted({*parent_days, *new_days})
    dataset, hurried = Dataset.open(data), _hurried(settings)
    split = split_by_time(dataset.days, every_day)
    judged_by = dataclasses.replace(dataset, split={**split, "valid": split["valid"][:1]})
    made_of = {"parent": sorted(parent_days), "new": sorted(new_days)}
    recipe = recipe_of(settings)
    tuning = json_sha256(recipe.pop("finetune"))[:8]
    place = settings.home.resolve() / _PLACE / fingerprint(_PLACE, data, recipe, **made_of)[:12]
    first, second = place / "learning", place / "anew"
    place.mkdir(parents=True, exist_ok=True)
    parent = timed(place / "parent", note, lambda show: run_full(data, first, hurried, show, parent_days))
    daily = timed(
        place / f"daily-{tuning}",
        note,
        lambda show: run_daily(data, first, hurried, show, days=new_days, release=parent.release),
    )
    anew = timed(place / "retrained", note, lambda show: run_full(data, second, hurried, show, every_day))
    runs = {"parent": parent, "daily": daily, "retrained": anew}
    homes = {"parent": first, "daily": first, "retrained": second}
    found = {}
    for name, run in runs.items():
        note(f"{name}: measuring on day {split['valid'][0]}")
        folder = place / (f"daily-{tuning}" if name == "daily" else name)
        found[name] = _measured(folder, homes[name] / RELEASES / str(run.release), judged_by, settings)
    if not keep:
        shutil.rmtree(place)
    days = {"parent": list(parent_days), "new": list(new_days), "judged_by": split["valid"][0]}
    return {"days": days, **summary(runs, found)}


def summary(runs: dict[str, Run], found: dict[str, Outcomes]) -> dict[str, Any]:
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
                "load": run.load,
                "steps": run.steps,
                "cpu_steps": run.cpu_steps,
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


def _measured(folder: Path, release: Path, judged_by: Dataset, settings: Settings) -> Outcomes:
    """What the release does with the clicks of the day that judges, measured once."""
    if not (folder / OUTCOMES_FILE).exists():
        outcomes = remeasure(release, judged_by, settings)
        with TemporaryDirectory(dir=folder) as partial:
            outcomes.save(Path(partial)).replace(folder / OUTCOMES_FILE)
    return Outcomes.load(folder)


def _hurried(settings: Settings) -> Settings:
    """The same training, hardly judged by its pipeline: all are measured again, on the same rows."""
    few = {"rows": 1_000, "anonymous_rows": 100, "auc_rows": 1_000}
    evaluation = settings.evaluation.model_copy(update=few)
    return settings.model_copy(update={"evaluation": evaluation, "gate": _OPEN_GATE})
