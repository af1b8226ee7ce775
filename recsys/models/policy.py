"""What a release would have earned where another one was shown, from a log with propensities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from recsys.data.dataset import Dataset
from recsys.errors import BadData, BadUse
from recsys.features.training import feature_rows
from recsys.models.offpolicy import Log
from recsys.models.pools import Pools, ranked
from recsys.models.trial_log import told
from recsys.serving.relevance import logits, softmax
from recsys.settings import Settings

COLUMNS: Final = ("user_id", "item_id", "timestamp", "device_type", "propensity", "reward")
"""Of a log: who was shown what at which second, with which chance, and what it earned."""


def read_log(path: Path) -> pd.DataFrame:
    """Reads a log.

    Args:
        path: Parquet; a row for each item that was shown in the first place.

    Raises:
        BadData: It cannot be read, a column is missing, or a propensity is not in (0, 1].
    """
    try:
        log = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise BadData(str(path), f"cannot be read ({error})", "Give a parquet file") from error
    if missing := [name for name in COLUMNS if name not in log]:
        raise BadData(f"column {missing[0]}", f"{path} does not hold it", f"Give {', '.join(COLUMNS)}")
    chance = log["propensity"].to_numpy()
    if log.empty or not ((chance > 0) & (chance <= 1)).all():
        raise BadData(f"{path}, column propensity", "not all in (0, 1]", "Log the chance of what was shown")
    return log


def estimate(  # noqa: PLR0917 - the release, the log, and the policy
    release_dir: Path,
    dataset: Dataset,
    log: pd.DataFrame,
    settings: Settings,
    temperature: float = 0.0,
    progress: Callable[[str, float | None], None] = lambda *_: None,
) -> dict[str, Any]:
    """Estimates what a release's first place earns.

    Args:
        release_dir: A release's artefacts.
        dataset: Its clicks before each row's second are what the users' features come from.
        log: See `read_log`.
        settings: Widths of serving.
        temperature: Of the softmax over the ranker's scores that it would draw from; 0: its best item.
        progress: Told what is being done, and which share of it is.

    Returns:
        {"rows", "logged": mean reward of the log, "estimates": see `recsys.models.trial_log.told`}.

    Raises:
        BadUse: The temperature is negative.
        BadData: A row names a user or an item that is not there.
    """
    if temperature < 0:
        raise BadUse("temperature", f"{temperature:g} is negative", "Give 0 or more")
    history = dataset.interactions(dataset.days)
    pools = ranked(release_dir, feature_rows(dataset, log, history), history, settings, progress)
    target = _target(pools, temperature)
    shown = pools.items == pools.item[:, None]
    reward = log["reward"].to_numpy(np.float64)
    model = softmax(logits(pools.scores))
    taken = (model * shown).sum(axis=1)
    scale = float(reward @ taken / max(float(taken @ taken), 1e-12))  # least squares: one number of the log
    decisions = Log(reward, log["propensity"].to_numpy(np.float64), (target * shown).sum(axis=1))
    expected = scale * (target * model).sum(axis=1)
    name = "its best item" if temperature == 0 else f"temperature {temperature:g}"
    return {
        "rows": len(log),
        "logged": float(reward.mean()),
        "estimates": told(name, decisions, scale * taken, expected),
    }


def _target(pools: Pools, temperature: float) -> np.ndarray:
    """Chance of each candidate in the first place, float64 [rows, K]."""
    if temperature > 0:
        return softmax(pools.scores / temperature)
    chance = np.zeros(pools.scores.shape)
    chance[:, 0] = 1  # pools come best first
    return chance
