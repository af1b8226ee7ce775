"""How good a release is on the days after its training, beside baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import evaluation_sample, positives, train_days, valid_days
from recsys.errors import BadData
from recsys.features.recents import ClickLog
from recsys.features.training import default_age, feature_rows
from recsys.models import bias, calibration, intervals, metrics, ranker_auc, segments
from recsys.models.baselines import compare
from recsys.models.outcomes import Outcomes, item_counts, row_keys
from recsys.models.seen_before import SeenBefore
from recsys.models.segment_tables import tables
from recsys.models.served import Lists, Served, serve
from recsys.settings import Settings, get_settings

Progress = Callable[[str, float | None], None]
_SEED: Final = 0


def evaluate(  # noqa: PLR0917 - what is measured, and beside what
    release_dir: Path,
    dataset: Dataset,
    settings: Settings | None = None,
    progress: Progress = lambda *_: None,
    baselines: str = "standard",
    outcomes_dir: Path | None = None,
) -> dict[str, Any]:
    """Measures retrieval alone, the whole chain, the ranker and the baselines.

    Every row is a click of the validation days with the features its user had at that time; it is looked for
    among all items, what the user has seen before included. `unseen` is the same as serving shows it: what
    the user had clicked before is dropped from every list, and only clicks on new items are looked for.
    Anonymous rows are the same with the user hidden as serving hides an unknown one.

    Args:
        release_dir: A release's artefacts.
        dataset: Trained on its training days.
        settings: Sample sizes and the widths of serving; the process's by default.
        progress: Told what is being done, and which share of it is.
        baselines: "standard", "all", or names with commas between them; see `baselines.compare`.
        outcomes_dir: Where `outcomes.npz` goes, what became of each row; None: it is not written.

    Returns:
        {"retrieval": {"hit@10", "hit@100", "hit@300", "ndcg@10", "mrr", "coverage@10"}, "chain": {the same},
        "anonymous": {"retrieval", "chain", "rows"}, "ranker": {"auc", "negatives"}, "baselines": {name: {the
        same without coverage}}, "rows": int}; and
        "unseen": {"retrieval", "chain", "baselines", "rows", "intervals", "differences"};
        "intervals": {"retrieval" | "chain" | "anonymous" | baseline: {metric: [low, high]}}, 95 % over users;
        "differences": {"chain - als": {metric: {"mean", "interval"}}};
        "segments": {name: {segment: {"rows", "chain", "retrieval", "interval", "baselines"}}};
        "exposure": {recommender: {"coverage", "gini", "head", "mean_popularity"}} of the ten shown;
        "calibration": {"ece", "brier", "log_loss", "bins", "negatives", "rows"} of the ranker;
        "omitted": {baseline: why}; and "oracle" where the data set knows it.

    Raises:
        BadData: The release's catalogue is not the data set's, or there are no validation days.
        BadUse: There is no such baseline.
    """
    test = _Test.of(release_dir, dataset, settings or get_settings())
    chosen, omitted = compare.names(baselines, test.items)
    served = serve(
        release_dir,
        test.rows,
        test.item,
        test.settings,
        lambda share: progress("known users", share),
        test.seen,
        ClickLog.build(test.history, test.item_ids, test.settings.recents.kept_s),
        test.settings.evaluation.unseen_rows,
    )
    hidden = _anonymous(test.rows.head(test.settings.evaluation.anonymous_rows), default_age(dataset))
    anonymous = serve(
        release_dir,
        hidden,
        test.item[: len(hidden)],
        test.settings,
        lambda share: progress("anonymous users", share),
    ).everything
    progress("ranker", None)
    pairs = ranker_auc.pairs(
        release_dir, dataset, test.rows, test.history, rows=test.settings.evaluation.auc_rows, seed=_SEED
    )
    clicks = compare.Clicks.of(dataset, test.clicks)
    others = compare.compare(chosen, clicks, test.rows, test.item, test.seen, _SEED, progress)
    progress("intervals", None)
    codes = segments.segment(dataset, test.rows, test.item, test.clicks, test.repeated)
    if outcomes_dir is not None:
        _outcomes(test, served, pairs, codes).save(outcomes_dir)
    return {
        **served.everything.summary(test.items),
        "anonymous": {**anonymous.summary(test.items), "rows": len(hidden)},
        "ranker": {"auc": pairs.auc(), "negatives": pairs.kind},
        "baselines": {name: metrics.summary(found.everything) for name, found in others.items()},
        "rows": len(test.rows),
        "unseen": _unseen(test, served.unseen, others),
        **_intervals(test, served.everything, anonymous, others),
        "segments": tables(codes, test.users, _ranks(served.everything, others)),
        "exposure": _exposure(test, served, others),
        "calibration": _calibration(release_dir, dataset, test, pairs),
        "omitted": omitted,
        **_oracle(dataset),
    }


@dataclass(frozen=True)
class _Test:
    """The rows that a release is measured on.

    Attributes:
        rows: Clicks of the validation days with their features.
        item: Item index of each, int64 [rows].
        item_ids: The release's catalogue, int64 [items].
        history: Interactions up to the last validation day.
        clicks: Clicks of the training days.
        seen: What users had clicked before.
        repeated: Whether the user had clicked the row's item before, bool [rows].
        settings: Sample sizes and widths.
    """

    rows: pd.DataFrame
    item: np.ndarray
    item_ids: np.ndarray
    history: pd.DataFrame
    clicks: pd.DataFrame
    seen: SeenBefore
    repeated: np.ndarray
    settings: Settings

    @classmethod
    def of(cls, release_dir: Path, dataset: Dataset, settings: Settings) -> _Test:
        sample = evaluation_sample(dataset, settings.evaluation.rows, _SEED)
        history = dataset.interactions(day for day in dataset.days if day <= valid_days(dataset)[-1])
        rows = feature_rows(dataset, sample, history)
        ids = np.load(release_dir / schema.ITEM_IDS_FILE)
        item = _item_indexes(release_dir, ids, rows)
        past = positives(history)
        seen = SeenBefore(
            past["user_id"].to_numpy(),
            pd.Index(ids).get_indexer(past["item_id"]).astype(np.int64),
            past["timestamp"].to_numpy(),
            len(ids),
        )
        repeated = seen.contains(rows["user_id"].to_numpy(), rows["timestamp"].to_numpy(), item[:, None])
        clicks = positives(dataset.interactions(train_days(dataset)))
        return cls(rows, item, ids, history, clicks, seen, repeated[:, 0], settings)

    @property
    def items(self) -> int:
        return len(self.item_ids)

    @property
    def users(self) -> np.ndarray:
        found: np.ndarray = self.rows["user_id"].to_numpy()
        return found


def _item_indexes(release_dir: Path, ids: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
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


def _ranks(lists: Lists, others: Mapping[str, compare.Compared]) -> dict[str, np.ndarray]:
    found = {"chain": lists.chain, "retrieval": lists.retrieval}
    return found | {name: other.everything for name, other in others.items()}


def _unseen(test: _Test, lists: Lists, others: Mapping[str, compare.Compared]) -> dict[str, Any]:
    new = ~test.repeated & (np.arange(len(test.rows)) < test.settings.evaluation.unseen_rows)
    if not new.any():
        return {"rows": 0}
    ranks = {"chain": lists.chain, "retrieval": lists.retrieval}
    ranks |= {name: other.unseen[new] for name, other in others.items()}
    ends, differences = intervals.of_ranks(ranks, test.users[new], against="chain")
    return {
        **lists.summary(test.items),
        "baselines": {name: metrics.summary(ranks[name]) for name in others},
        "intervals": ends,
        "differences": differences,
        "rows": int(new.sum()),
    }


def _intervals(
    test: _Test, lists: Lists, anonymous: Lists, others: Mapping[str, compare.Compared]
) -> dict[str, Any]:
    found, differences = intervals.of_ranks(_ranks(lists, others), test.users, against="chain")
    hidden, _ = intervals.of_ranks({"anonymous": anonymous.chain}, test.users[: len(anonymous.chain)])
    return {"intervals": found | hidden, "differences": differences}


def _exposure(test: _Test, served: Served, others: Mapping[str, compare.Compared]) -> dict[str, Any]:
    clicks = np.bincount(pd.Index(test.item_ids).get_indexer(test.clicks["item_id"]), minlength=test.items)
    shown = {"chain": served.everything.shown, "retrieval": served.everything.retrieved}
    shown |= {"chain, unseen": served.unseen.shown}
    shown |= {name: other.shown for name, other in others.items()}
    shown |= {"clicks": test.item[:, None]}
    return {name: bias.exposure(lists, clicks) for name, lists in shown.items()}


def _calibration(release_dir: Path, dataset: Dataset, test: _Test, pairs: ranker_auc.Pairs) -> dict[str, Any]:
    if pairs.kind != "exposures":
        size = test.settings.evaluation.auc_rows
        pairs = ranker_auc.uniform_pairs(release_dir, dataset, test.rows, test.history, rows=size, seed=_SEED)
    return {**calibration.reliability(pairs.probability, pairs.label), "negatives": pairs.kind}


def _outcomes(
    test: _Test, served: Served, pairs: ranker_auc.Pairs, codes: Mapping[str, segments.Segmentation]
) -> Outcomes:
    return Outcomes.of(
        {name: (found.code, found.labels) for name, found in codes.items()},
        row=row_keys(test.rows),
        user=test.users,
        chain_rank=served.everything.chain,
        retrieval_rank=served.everything.retrieval,
        pair_row=row_keys(pairs.rows),
        pair_user=pairs.user,
        pair_label=pairs.label,
        pair_score=pairs.score,
        pair_probability=pairs.probability,
        item_id=test.item_ids,
        retrieved=served.candidates,
        shown=item_counts(served.everything.shown, test.items),
    )


def _oracle(dataset: Dataset) -> dict[str, Any]:
    """What one could score who knew every utility, where the data set tells."""
    known = {name: found for name, found in dataset.meta.items() if name.startswith("oracle_")}
    return {"oracle": known} if known else {}
