"""Runs test rows through the serving chain of a release."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import pandas as pd

from recsys import schema
from recsys.features.popularity import PopularityLog
from recsys.features.recents import ClickLog, RecentClicks
from recsys.models import metrics
from recsys.models.outcomes import item_counts
from recsys.models.seen_before import SeenBefore
from recsys.serving.catalogue import Popularity
from recsys.serving.chain import Chain
from recsys.serving.rules import RuleTable
from recsys.serving.stage import Arrays
from recsys.serving.stages.filter_seen_items import FilterSeenItems
from recsys.settings import ServingSettings, Settings

if TYPE_CHECKING:
    from recsys.online.seen import SeenFilter

_BATCH: Final = 64
_SHOWN: Final = 10
_RETRIEVED: Final = (
    "user_embedding",
    "candidates",
    "candidate_scores",
    "candidate_sources",
    "retrieval_flags",
)


@dataclass(frozen=True)
class Lists:
    """Where each row's click stands.

    Attributes:
        retrieval: Rank of each row's click in the index's answer, int64 [rows].
        chain: Its rank in the final order.
        retrieved: Best items of the index's answer, item indexes [rows, 10].
        shown: Best items of the final order, [rows, 10].
    """

    retrieval: np.ndarray
    chain: np.ndarray
    retrieved: np.ndarray
    shown: np.ndarray

    @classmethod
    def of(cls, candidates: np.ndarray, ordered: np.ndarray, item: np.ndarray) -> Lists:
        """Looks for clicks in lists of item indexes, [rows, R] and [rows, K]."""
        found = metrics.positions(candidates, item), metrics.positions(ordered, item)
        return cls(*found, candidates[:, :_SHOWN], ordered[:, :_SHOWN])

    @classmethod
    def joined(cls, parts: Sequence[Lists]) -> Lists:
        """One after the other."""
        names = ("retrieval", "chain", "retrieved", "shown")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def summary(self, items: int) -> dict[str, dict[str, float]]:
        """Metrics of retrieval alone and of the whole chain; see `recsys.models.metrics.summary`."""
        return {
            "retrieval": {
                **metrics.summary(self.retrieval),
                "coverage@10": metrics.coverage(self.retrieved, items),
            },
            "chain": {**metrics.summary(self.chain), "coverage@10": metrics.coverage(self.shown, items)},
        }


@dataclass(frozen=True)
class Served:
    """What came out for some rows.

    Attributes:
        everything: Nothing filtered: what the user has seen counts as a hit too.
        unseen: Of the rows whose item is new to the user, and as serving does it: what the user had clicked
            before is dropped from the candidates. No rows where it was not asked for.
        candidates: Rows whose candidates hold each item, int64 [items].
    """

    everything: Lists
    unseen: Lists
    candidates: np.ndarray


def serve(  # noqa: PLR0917 - the release, the rows, and how they are asked
    release_dir: Path,
    rows: pd.DataFrame,
    item: np.ndarray,
    settings: Settings,
    progress: Callable[[float], None] = lambda _: None,
    seen: SeenBefore | None = None,
    log: ClickLog | None = None,
    unseen_rows: int | None = None,
    recents: RecentClicks | None = None,
    popularity: PopularityLog | None = None,
) -> Served:
    """Asks the chain for each row, with the features that its user had at its time.

    All that is ranked is returned, so hit@300 means the same for retrieval and chain. Feature store and
    Valkey are not asked.

    Args:
        release_dir: A release's artefacts.
        rows: Columns of `schema.USER_RAW` and `schema.CONTEXT_RAW`.
        item: Item index of each row's click, int64 [rows].
        settings: Widths of serving.
        progress: Told the share that is done.
        seen: What users had clicked before; None: `Served.unseen` is left out.
        log: From which the newest clicks of each row's user are taken; None: nobody has any.
        unseen_rows: First rows that `Served.unseen` is about; None: all.
        recents: The newest clicks of each row, in place of those that the log tells.
        popularity: How popular items were; None: all alike.
    """
    if recents is None:
        recents = (log or ClickLog.empty()).recent(rows["user_id"], rows["timestamp"])
    asker = _Asker(release_dir, rows, item, settings, seen, recents)
    asker.popularity = popularity
    asker.unseen_rows = len(rows) if unseen_rows is None else unseen_rows
    starts = range(0, len(rows), _BATCH)
    batches: list[Served] = []
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for number, batch in enumerate(pool.map(asker.ask, starts)):
                batches.append(batch)
                if number % 50 == 49:
                    progress((number + 1) / len(starts))
    finally:
        asker.close()
    return Served(
        Lists.joined([batch.everything for batch in batches]),
        Lists.joined([batch.unseen for batch in batches]),
        np.sum([batch.candidates for batch in batches], axis=0),
    )


def all_ranked(settings: Settings) -> Settings:
    """The settings, every ranked item returned."""
    widths = settings.serving.model_copy(update={"returned": settings.serving.ranked})
    return settings.model_copy(update={"serving": widths})


class _Asker:
    """Asks for a batch of rows at a time."""

    def __init__(  # noqa: PLR0917 - as `serve`
        self,
        release_dir: Path,
        rows: pd.DataFrame,
        item: np.ndarray,
        settings: Settings,
        seen: SeenBefore | None,
        recents: RecentClicks,
    ) -> None:
        self._chain = Chain(release_dir, all_ranked(settings))
        self._items = int(np.load(release_dir / schema.ITEM_IDS_FILE).shape[0])
        self._rows, self._item = rows, item
        self._recents = recents.tensors()
        self._seen = seen
        self.popularity: PopularityLog | None = None
        self.unseen_rows = len(rows)
        self._filter = None if seen is None else _seen_filter(release_dir, settings.serving, rows, seen)

    def ask(self, at: int) -> Served:
        part, item = self._rows.iloc[at : at + _BATCH], self._item[at : at + _BATCH]
        request = {"user_id": part["user_id"], **{name: part[name] for name in schema.CONTEXT_RAW}}
        known = {name: part[name].to_numpy() for name in ("age", "gender", "top_category")}
        known |= {name: column[at : at + _BATCH] for name, column in self._recents.items()}
        made = self._popularity_at(part)
        tensors = self._chain.run({name: column.to_numpy() for name, column in request.items()}, known, made)
        return Served(
            Lists.of(tensors["candidates"], tensors["ordered_items"], item),
            self._unseen(part, at, known, tensors),
            item_counts(tensors["candidates"], self._items),
        )

    def _popularity_at(self, part: pd.DataFrame) -> dict[str, Callable[[Arrays], np.ndarray]]:
        if self.popularity is None:
            return {}
        log, time = self.popularity, part["timestamp"].to_numpy()
        return {schema.ITEM_POPULARITY: lambda tensors: log.before(tensors["items"], time)}

    def close(self) -> None:
        self._chain.close()

    def _unseen(self, part: pd.DataFrame, at: int, known: Arrays, tensors: Arrays) -> Lists:
        item = self._item[at : at + len(part)]
        if self._filter is None or self._seen is None:
            return Lists.of(tensors["candidates"][:0], tensors["ordered_items"][:0], item[:0])
        user, time = part["user_id"].to_numpy(), part["timestamp"].to_numpy()
        new = np.flatnonzero(~self._seen.contains(user, time, item[:, None])[:, 0])
        new = new[at + new < self.unseen_rows]
        if not len(new):
            return Lists.of(tensors["candidates"][:0], tensors["ordered_items"][:0], item[:0])
        own = {name: column[new] for name, column in tensors.items()}
        filtered = self._filter.run(own | {"user_id": (at + new)[:, None]})
        given = {name: own[name] for name in (*_RETRIEVED, *known)} | filtered
        request = {name: part[name].to_numpy()[new] for name in ("user_id", *schema.CONTEXT_RAW)}
        ordered = self._chain.run(request, given, self._popularity_at(part.iloc[new]))["ordered_items"]
        before = self._seen.contains(user[new], time[new], own["candidates"])
        first = np.argsort(before, axis=1, kind="stable")  # the others in their order, then these
        found = np.take_along_axis(np.where(before, schema.NO_ITEM, own["candidates"]), first, axis=1)
        return Lists.of(found, ordered, item[new])


def _seen_filter(
    release_dir: Path, serving: ServingSettings, rows: pd.DataFrame, seen: SeenBefore
) -> FilterSeenItems:
    """Serving's own filter, asked by row instead of by user: a row is a user at its time."""
    rules = RuleTable.load(release_dir)
    user, time = rows["user_id"].to_numpy(), rows["timestamp"].to_numpy()

    class _ByRow:
        def contains(self, row: np.ndarray, item_ids: np.ndarray) -> np.ndarray:
            return seen.contains(user[row], time[row], rules.catalogue.encode(item_ids))

    return FilterSeenItems(
        rules.catalogue,
        Popularity.load(release_dir, items=len(rules.catalogue.item_ids)),
        cast("SeenFilter", _ByRow()),  # all that is asked of it is `contains`
        ranked=serving.ranked,
        returned=serving.returned,
        rules=rules,
    )
