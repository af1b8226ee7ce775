"""An older release measured on the rows that a newer one is: what the newer one is compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import evaluation_sample, valid_days
from recsys.features.popularity import PopularityLog
from recsys.features.recents import ClickLog
from recsys.features.training import feature_rows
from recsys.models import ranker_auc
from recsys.models.outcomes import Outcomes, item_counts, row_keys
from recsys.models.served import serve
from recsys.settings import Settings

_SEED: Final = 0
_ABSENT: Final = -2
"""Item index of what the release does not hold: no list has it, and it is no pad."""


def remeasure(
    release_dir: Path,
    dataset: Dataset,
    settings: Settings,
    progress: Callable[[float], None] = lambda _: None,
) -> Outcomes:
    """Runs retrieval, chain and ranker of a release on the rows of an evaluation with these settings.

    A click on an item that the release does not hold counts as missed, for it cannot recommend it; it says
    nothing of the ranker, so it is in none of the pairs.

    Args:
        release_dir: The release's artefacts; it may have been trained on other days and another catalogue.
        dataset: The one that the newer release is evaluated on.
        settings: Sample sizes and widths of serving.
        progress: Told the share that is done.

    Raises:
        BadData: The release cannot be served.
    """
    history = dataset.interactions(day for day in dataset.days if day <= valid_days(dataset)[-1])
    rows = feature_rows(dataset, evaluation_sample(dataset, settings.evaluation.rows, _SEED), history)
    ids = np.load(release_dir / schema.ITEM_IDS_FILE)
    log = ClickLog.build(history, ids, settings.recents.kept_s)
    popularity = PopularityLog.build(history, ids, settings.popularity.half_life_s)
    served = serve(release_dir, rows, _indexes(ids, rows), settings, progress, log=log, popularity=popularity)
    size = settings.evaluation.auc_rows
    pairs = ranker_auc.pairs(
        release_dir, dataset, rows, history, rows=size, seed=_SEED, popularity=popularity
    )
    known = _indexes(ids, pairs.rows) != _ABSENT
    return Outcomes.of(
        row=row_keys(rows),
        user=rows["user_id"].to_numpy(),
        chain_rank=served.everything.chain,
        retrieval_rank=served.everything.retrieval,
        pair_row=row_keys(pairs.rows)[known],
        pair_user=pairs.user[known],
        pair_label=pairs.label[known],
        pair_score=pairs.score[known],
        pair_probability=pairs.probability[known],
        item_id=ids,
        retrieved=served.candidates,
        shown=item_counts(served.everything.shown, len(ids)),
    )


def _indexes(ids: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    found: np.ndarray = pd.Index(ids).get_indexer(rows["item_id"]).astype(np.int64)
    return np.where(found < 0, _ABSENT, found)
