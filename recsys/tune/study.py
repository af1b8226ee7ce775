"""The search for better settings: Optuna over the recipe, kept in a file so that it can go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna

from recsys.data.dataset import Dataset
from recsys.data.splits import train_days
from recsys.errors import BadUse, RecsysError
from recsys.settings import Settings
from recsys.tune.overrides import changed
from recsys.tune.progress import Progress, silent
from recsys.tune.runs import Bench
from recsys.tune.seeds import value
from recsys.tune.space import SPACE, draw

OBJECTIVE: Final = "chain.ndcg@10"
_DOCUMENTS: Final = "documents"
_TOWERS_METRIC: Final = "ndcg@10"
_HELD_OUT: Final = 2
_STARTUP: Final = 5

_WORST: Final = 0.25
"""Share of the finished trials that a trial's towers must leave behind. With a half good trials would end
too: the best chain of twenty on the synthetic shop, whose ranker makes up for much, had such towers."""


def inner_days(dataset: Dataset) -> tuple[int, ...]:
    """The training days without the last two, which stand in for the days after training.

    The days that releases are measured on are not looked at: settings chosen by them would look better
    than they are.

    Raises:
        BadUse: There are fewer than three training days.
    """
    days = train_days(dataset)
    if len(days) <= _HELD_OUT:
        raise BadUse(
            str(dataset.path), f"{len(days)} training days are too few to tune on", "Give at least 3"
        )
    return tuple(days[:-_HELD_OUT])


def tune(
    benches: Sequence[Bench],
    settings: Settings,
    storage: Path,
    *,
    trials: int,
    minutes: float | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Tries settings until the budget is spent; what an earlier call tried counts.

    The recipe as it is comes first, another call's own recipe next. The others are drawn by a tree-structured
    Parzen estimator (Bergstra et al., "Algorithms for hyper-parameter optimization", 2011). A trial whose
    towers do worse on rows held out than those of three quarters of the finished trials ends there (as the
    median stopping rule of Golovin et al., "Google Vizier", 2017, but milder), before its ranker is trained
    and the next data set is begun.

    Args:
        benches: Where runs are made and kept, one for each data set that the settings shall suit. Trials go
            through them in order: the cheapest first spares the others what does badly.
        settings: The recipe to begin from.
        storage: SQLite file of the study.
        trials: How many the study shall have in all.
        minutes: After which no further trial begins; None: no limit.
        progress: Told what is being done, and which share of it is.

    Returns:
        {"trials", "pruned", "failed": int, "begun": value of the first trial, "best": {"value", "trial",
        "settings": {dotted name: value}}, "importance": {dotted name: share}, "tried": [{"trial", "state":
        "complete" | "pruned" | "fail", "value", "data_sets": [value of each], "seconds": of training,
        "settings"}]}; "best" is None where no trial was finished, "value" and "seconds" where it was not.

    Raises:
        BadUse: The budget holds no trial.
    """
    if trials < 1:
        raise BadUse("trials", f"{trials} is no budget", "Give at least 1")
    study = _open(storage, benches, settings)
    _pick_up(study)
    left = trials - len(_finished(study))
    objective = _objective(benches, settings, trials, progress)
    if left > 0:
        study.enqueue_trial(_point(settings), skip_if_exists=True)
        timeout = None if minutes is None else minutes * 60
        study.optimize(objective, n_trials=left, timeout=timeout, catch=(RecsysError,))
    return _result(study)


def objective_of(documents: Sequence[Mapping[str, Any]]) -> float:
    """The geometric mean over data sets of NDCG@10 of the whole chain: the same ratio counts alike on each.

    Args:
        documents: A run's evaluation on each data set.
    """
    values = [value(one, OBJECTIVE) for one in documents]
    return float(np.prod(values) ** (1 / len(values)))


def _objective(
    benches: Sequence[Bench], settings: Settings, trials: int, progress: Progress
) -> Callable[[optuna.Trial], float]:
    def run(trial: optuna.Trial) -> float:
        own = changed(settings, draw(trial))
        documents = []
        for step, bench in enumerate(benches):
            told = partial(_told, progress, f"trial {trial.number}, {bench.data.name}", trial.number / trials)
            towers = bench.train_towers(own, told).get(_TOWERS_METRIC, 0.0)
            if _hopeless(trial, step, towers):
                raise optuna.TrialPruned
            document = bench.run(own, told).document
            documents.append({name: document[name] for name in ("chain", "retrieval", "seconds")})
            trial.set_user_attr(_DOCUMENTS, documents)
        return objective_of(documents)

    return run


def _hopeless(trial: optuna.Trial, step: int, towers: float) -> bool:
    """Whether the towers on one data set are among the worst, compared with those of that data set alone."""
    trial.report(towers, step)
    finished = trial.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    others = [one.intermediate_values[step] for one in finished if step in one.intermediate_values]
    return len(others) >= _STARTUP and towers < np.quantile(others, _WORST)


def _told(progress: Progress, name: str, share: float, text: str) -> None:
    progress(f"{name}: {text}", min(share, 1.0))


def _open(storage: Path, benches: Sequence[Bench], settings: Settings) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name="-".join([*(bench.data.name for bench in benches), OBJECTIVE]),
        storage=f"sqlite:///{storage.resolve()}",
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.NopPruner(),
    )
    # With the seed that it began with, a study that goes on would draw its first points once more.
    seed = settings.training.seed + len(study.trials)
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP)
    return study


def _pick_up(study: optuna.Study) -> None:
    """Puts what was running when an earlier call was killed at the front of the queue."""
    for one in study.trials:
        if one.state == optuna.trial.TrialState.RUNNING:
            study.tell(one.number, state=optuna.trial.TrialState.FAIL)
            study.enqueue_trial(one.params)


def _point(settings: Settings) -> dict[str, Any]:
    """The recipe as it is, as a point of the space; what lies outside it is left to the sampler."""
    found = {}
    for name in SPACE:
        part: Any = settings
        for key in name.split("."):
            part = getattr(part, key)
        found[name] = part
    return found


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Without what is only in the queue, as a point that there was no budget left for."""
    return [one for one in study.trials if one.state.is_finished()]


def _result(study: optuna.Study) -> dict[str, Any]:
    state, tried = optuna.trial.TrialState, _finished(study)
    done = [one for one in tried if one.state == state.COMPLETE]
    best = max(done, key=lambda one: one.value or 0.0, default=None)
    return {
        "trials": len(tried),
        "pruned": sum(one.state == state.PRUNED for one in tried),
        "failed": sum(one.state == state.FAIL for one in tried),
        "begun": tried[0].value if tried else None,
        "best": None
        if best is None
        else {"value": best.value, "trial": best.number, "settings": dict(best.params)},
        "importance": _importance(study) if len(done) > _STARTUP else {},
        "tried": [
            {
                "trial": one.number,
                "state": one.state.name.lower(),
                "value": one.value if one.state == state.COMPLETE else None,
                **_measured(one),
                "settings": dict(one.params),
            }
            for one in tried
        ],
    }


def _measured(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    documents = trial.user_attrs.get(_DOCUMENTS, [])
    done = trial.state == optuna.trial.TrialState.COMPLETE
    seconds = [sum(one["seconds"].values()) for one in documents]
    return {
        "data_sets": [value(one, OBJECTIVE) for one in documents],
        "seconds": sum(seconds) if done else None,
    }


def _importance(study: optuna.Study) -> dict[str, float]:
    """Which settings moved the objective, by PED-ANOVA (Watanabe et al., 2023)."""
    found = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
    )
    return {name: float(share) for name, share in found.items()}
