"""How good a release is on the days after its training, beside baselines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import evaluation_sample, positives, train_days, valid_days
from recsys.errors import BadData
from recsys.features.training import default_age, feature_rows
from recsys.models import metrics, ranker_auc
from recsys.models.baselines.als import AlternatingLeastSquares
from recsys.models.baselines.baseline import Baseline
from recsys.models.baselines.popular_in_category import PopularInCategory
from recsys.models.baselines.popularity import Popularity
from recsys.models.served import serve
from recsys.settings import Settings, get_settings

Progress = Callable[[str, float | None], None]
_SCORES_AT_ONCE: Final = 20_000_000
_SEED: Final = 0


def evaluate(
    release_dir: Path,
    dataset: Dataset,
    settings: Settings | None = None,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Measures retrieval alone, the whole chain, the ranker and the baselines.

    Every row is a click of the validation days with the features its user had at that time; it is looked for
    among all items, what the user has seen before included. Anonymous rows are the same with the user hidden
    as serving hides an unknown one.

    Args:
        release_dir: A release's artefacts.
        dataset: Trained on its training days.
        settings: Sample sizes and the widths of serving; the process's by default.
        progress: Told what is being done, and which share of it is.

    Returns:
        {"retrieval": {"hit@10", "hit@100", "hit@300", "ndcg@10", "mrr", "coverage@10"}, "chain": {the same},
        "anonymous": {"retrieval", "chain", "rows"}, "ranker": {"auc", "negatives"}, "baselines": {name: {the
        same without coverage}}, "rows": int}; and "oracle" where the data set knows it.

    Raises:
        BadData: The release's catalogue is not the data set's, or there are no validation days.
    """
    settings = settings or get_settings()
    sizes = settings.evaluation
    sample = evaluation_sample(dataset, sizes.rows, _SEED)
    rows = feature_rows(dataset, sample, _history(dataset))
    item = _item_indexes(release_dir, rows)
    count = int(np.load(release_dir / schema.ITEM_IDS_FILE).shape[0])

    known = serve(release_dir, rows, item, settings, lambda share: progress("known users", share))
    hidden = _anonymous(rows.head(sizes.anonymous_rows), default_age(dataset))
    anonymous = serve(
        release_dir,
        hidden,
        item[: len(hidden)],
        settings,
        lambda share: progress("anonymous users", share),
    )
    progress("ranker", None)
    auc = ranker_auc.measure(release_dir, dataset, rows, _history(dataset), rows=sizes.auc_rows, seed=_SEED)
    document: dict[str, Any] = {
        **known.summary(count),
        "anonymous": {**anonymous.summary(count), "rows": len(hidden)},
        "ranker": auc,
        "baselines": _baselines(dataset, rows, progress),
        "rows": len(rows),
    }
    return document | _oracle(dataset)


def _history(dataset: Dataset) -> pd.DataFrame:
    return dataset.interactions(day for day in dataset.days if day <= valid_days(dataset)[-1])


def _item_indexes(release_dir: Path, rows: pd.DataFrame) -> np.ndarray:
    ids = np.load(release_dir / schema.ITEM_IDS_FILE)
    found: np.ndarray = pd.Index(ids).get_indexer(rows["item_id"]).astype(np.int64)
    if (found < 0).any():
        raise BadData(
            str(release_dir),
            f"it does not hold item {rows['item_id'].to_numpy()[found < 0][0]} of the data set",
            "Evaluate a release on the data set that it was trained on",
        )
    return found


def _anonymous(rows: pd.DataFrame, mean_age: float) -> pd.DataFrame:
    unknown = dict.fromkeys(("user_id", "gender", "top_category"), schema.UNKNOWN)
    return rows.assign(**unknown, age=np.float32(mean_age))


def _baselines(dataset: Dataset, rows: pd.DataFrame, progress: Progress) -> dict[str, dict[str, float]]:
    clicks = positives(dataset.interactions(train_days(dataset)))
    index = pd.Index(dataset.items["item_id"])
    item = index.get_indexer(clicks["item_id"]).astype(np.int64)
    wanted = index.get_indexer(rows["item_id"]).astype(np.int64)
    category = dataset.items["category_l1"].to_numpy()
    makers: dict[str, Callable[[], Baseline]] = {
        "popularity": lambda: Popularity(item, len(index)),
        "popular_in_category": lambda: PopularInCategory(item, category),
        "als": lambda: AlternatingLeastSquares(clicks["user_id"].to_numpy(), item, len(index), _SEED),
    }
    found = {}
    for number, (name, make) in enumerate(makers.items()):
        progress(f"baseline {name}", number / len(makers))
        found[name] = metrics.summary(_ranks(make(), rows, wanted))
    return found


def _ranks(baseline: Baseline, rows: pd.DataFrame, item: np.ndarray) -> np.ndarray:
    scores = baseline.scores(rows.iloc[:1])
    step = max(_SCORES_AT_ONCE // scores.shape[1], 1)
    return np.concatenate(
        [
            metrics.ranks(baseline.scores(rows.iloc[at : at + step]), item[at : at + step])
            for at in range(0, len(rows), step)
        ]
    )


def _oracle(dataset: Dataset) -> dict[str, Any]:
    """What one could score who knew every utility, where the data set tells."""
    known = {name: found for name, found in dataset.meta.items() if name.startswith("oracle_")}
    return {"oracle": known} if known else {}
