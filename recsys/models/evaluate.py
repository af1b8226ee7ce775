"""How good a release is on the days after its training, beside baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from recsys.data.dataset import Dataset
from recsys.features.recents import ClickLog
from recsys.features.training import default_age
from recsys.models import bias, calibration, intervals, metrics, ranker_auc, segments, visitors
from recsys.models.baselines import compare
from recsys.models.evaluated_rows import EvaluatedRows, hidden
from recsys.models.outcomes import Outcomes, item_counts, row_keys
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
        "anonymous": {"retrieval", "chain", "rows"}, "ranker": {"auc", "negatives", and "heads" where it has
        any: see `recsys.models.ranker_auc.heads`}, "baselines": {name: {the same without coverage}},
        "rows": int}; and
        "unseen": {"retrieval", "chain", "baselines", "rows", "intervals", "differences"};
        "intervals": {"retrieval" | "chain" | "anonymous" | baseline: {metric: [low, high]}}, 95 % over users;
        "differences": {"chain - als": {metric: {"mean", "interval"}}};
        "segments": {name: {segment: {"rows", "chain", "retrieval", "interval", "baselines"}}};
        "exposure": {recommender: {"coverage", "gini", "head", "mean_popularity"}} of the ten shown;
        "calibration": {"ece", "brier", "log_loss", "bins", "negatives", "rows"} of the ranker;
        "visitors": {kind: …} of `recsys.models.visitors.measure`, and "anonymous"."bound" of its `bound`;
        "omitted": {baseline: why}; and "oracle" where the data set knows it.

    Raises:
        BadData: The release's catalogue is not the data set's, or there are no validation days.
        BadUse: There is no such baseline.
    """
    test = EvaluatedRows.of(release_dir, dataset, settings or get_settings())
    chosen, omitted = compare.names(baselines, test.items)
    found = _measure(release_dir, dataset, test, chosen, progress)
    progress("intervals", None)
    codes = segments.segment(dataset, test.rows, test.item, test.clicks, test.repeated)
    if outcomes_dir is not None:
        _outcomes(test, found, codes).save(outcomes_dir)
    document = _document(test, found, codes) | _oracle(dataset)
    document["anonymous"]["bound"] = visitors.bound(dataset)
    return document | {
        "visitors": visitors.measure(release_dir, dataset, test, progress),
        "calibration": _calibration(release_dir, dataset, test, found.pairs),
        "omitted": omitted,
    }


@dataclass(frozen=True)
class _Measured:
    """What became of the rows.

    Attributes:
        served: By retrieval and chain.
        anonymous: The first rows, their users hidden.
        pairs: Clicks and what was not clicked, by the ranker.
        others: By the baselines.
        heads: Of the ranker; see `recsys.models.ranker_auc.heads`.
    """

    served: Served
    anonymous: Lists
    pairs: ranker_auc.Pairs
    others: Mapping[str, compare.Compared]
    heads: Mapping[str, Mapping[str, float]]

    @property
    def ranks(self) -> dict[str, np.ndarray]:
        """Rank of each row's click among all items, by recommender."""
        own = {"chain": self.served.everything.chain, "retrieval": self.served.everything.retrieval}
        return own | {name: other.everything for name, other in self.others.items()}


def _measure(
    release_dir: Path, dataset: Dataset, test: EvaluatedRows, chosen: Sequence[str], progress: Progress
) -> _Measured:
    sizes, popularity = test.settings.evaluation, test.popularity
    served = serve(
        release_dir,
        test.rows,
        test.item,
        test.settings,
        lambda share: progress("known users", share),
        test.seen,
        ClickLog.build(test.history, test.item_ids, test.settings.recents.kept_s),
        sizes.unseen_rows,
        popularity=popularity,
    )
    nobody = hidden(test.rows.head(sizes.anonymous_rows), default_age(dataset))
    anonymous = serve(
        release_dir,
        nobody,
        test.item[: len(nobody)],
        test.settings,
        lambda share: progress("anonymous users", share),
        popularity=popularity,
    )
    progress("ranker", None)
    pairs = ranker_auc.pairs(
        release_dir,
        dataset,
        test.rows,
        test.history,
        rows=sizes.auc_rows,
        seed=_SEED,
        popularity=popularity,
    )
    clicks = compare.Clicks.of(dataset, test.clicks)
    others = compare.compare(chosen, clicks, test.rows, test.item, test.seen, _SEED, progress)
    heads = ranker_auc.heads(release_dir, test.rows, test.history, sizes.auc_rows, popularity)
    return _Measured(served, anonymous.everything, pairs, others, heads)


def _document(
    test: EvaluatedRows, found: _Measured, codes: Mapping[str, segments.Segmentation]
) -> dict[str, Any]:
    hidden_rows = len(found.anonymous.chain)
    return {
        **found.served.everything.summary(test.items),
        "anonymous": {**found.anonymous.summary(test.items), "rows": hidden_rows},
        "ranker": {"auc": found.pairs.auc(), "negatives": found.pairs.kind} | _heads(found.heads),
        "baselines": {name: metrics.summary(other.everything) for name, other in found.others.items()},
        "rows": len(test.rows),
        "unseen": _unseen(test, found.served.unseen, found.others),
        **_intervals(test, found),
        "segments": tables(codes, test.users, found.ranks),
        "exposure": _exposure(test, found.served, found.others),
    }


def _heads(found: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    return {"heads": found} if found else {}


def _unseen(test: EvaluatedRows, lists: Lists, others: Mapping[str, compare.Compared]) -> dict[str, Any]:
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


def _intervals(test: EvaluatedRows, found: _Measured) -> dict[str, Any]:
    ends, differences = intervals.of_ranks(found.ranks, test.users, against="chain")
    nobody, _ = intervals.of_ranks(
        {"anonymous": found.anonymous.chain}, test.users[: len(found.anonymous.chain)]
    )
    return {"intervals": ends | nobody, "differences": differences}


def _exposure(test: EvaluatedRows, served: Served, others: Mapping[str, compare.Compared]) -> dict[str, Any]:
    clicks = np.bincount(pd.Index(test.item_ids).get_indexer(test.clicks["item_id"]), minlength=test.items)
    shown = {"chain": served.everything.shown, "retrieval": served.everything.retrieved}
    shown |= {"chain, unseen": served.unseen.shown}
    shown |= {name: other.shown for name, other in others.items()}
    shown |= {"clicks": test.item[:, None]}
    return {name: bias.exposure(lists, clicks) for name, lists in shown.items()}


def _calibration(
    release_dir: Path, dataset: Dataset, test: EvaluatedRows, pairs: ranker_auc.Pairs
) -> dict[str, Any]:
    if pairs.kind != "exposures":
        pairs = ranker_auc.uniform_pairs(
            release_dir,
            dataset,
            test.rows,
            test.history,
            rows=test.settings.evaluation.auc_rows,
            seed=_SEED,
            popularity=test.popularity,
        )
    return {**calibration.reliability(pairs.probability, pairs.label), "negatives": pairs.kind}


def _outcomes(test: EvaluatedRows, found: _Measured, codes: Mapping[str, segments.Segmentation]) -> Outcomes:
    served, pairs = found.served, found.pairs
    return Outcomes.of(
        {name: (one.code, one.labels) for name, one in codes.items()},
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
