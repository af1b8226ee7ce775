"""Drops what the user has seen and keeps the best K candidates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from recsys.errors import Unavailable
from recsys.online.seen import SeenFilter
from recsys.schema import NO_ITEM, Degraded, Source
from recsys.serving.breaker import Breaker
from recsys.serving.catalogue import Catalogue, Popularity
from recsys.serving.merge import Candidates
from recsys.serving.rules import Mask, RuleTable
from recsys.serving.stage import Arrays
from recsys.serving.store import Store

_FILL: Final = 1_000
"""Popular items looked through for a user who has seen nearly all candidates: a bound, not a promise."""


class FilterSeenItems:
    """The seen filter, and popular items for users whom it leaves too little.

    Args:
        catalogue: The shop's ids; the filter holds those.
        popularity: What to fill up with.
        seen: The filter; None to drop nothing.
        ranked: K.
        returned: N; users left with fewer candidates are filled up.
        breaker: Guards the filter.
        rules: What rules are decided by; None where requests have none.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        popularity: Popularity,
        seen: SeenFilter | None,
        *,
        ranked: int,
        returned: int,
        breaker: Breaker | None = None,
        rules: RuleTable | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._seen = seen
        self._ranked = ranked
        self._rules = rules
        self._popularity = popularity
        self._enough = min(returned, len(catalogue.item_ids))
        self._popular = popularity.top(min(_FILL, len(catalogue.item_ids)))[0]
        self._breaker = breaker or Breaker()

    def run(self, inputs: Arrays) -> Arrays:
        """Filter.

        Args:
            inputs: user_id int64 [B, 1]; candidates int64 [B, R], best first, -1 for none;
                candidate_scores float32 [B, R]; candidate_sources int32 [B, R]; the inputs that
                `RuleTable.masks` reads.

        Returns:
            items int64 [B, K] and retrieval_scores float32 [B, K] in the candidates' order, -1 and -inf
            at pads; item_sources int32 [B, K]; filter_flags int32 [B, 1]. Candidates that another source
            named as well are kept before those that retrieval alone found.
        """
        users, candidates = inputs["user_id"].reshape(-1), inputs["candidates"]
        flags = np.zeros(len(users), np.int32)
        keep = candidates != NO_ITEM
        try:
            keep &= ~self._contains(users, candidates)
        except Unavailable:
            flags |= Degraded.SEEN_FILTER
        sources = inputs["candidate_sources"]
        kept = self._compact(
            Candidates(candidates, inputs["candidate_scores"], sources), self._chosen(keep, sources)
        )
        masks = {} if self._rules is None else self._rules.masks(inputs)
        enough = np.full(len(users), self._enough)
        for row, mask in masks.items():
            enough[row] = min(self._enough, np.count_nonzero(mask))
        short = np.flatnonzero(keep.sum(axis=1) < enough)
        if len(short):
            flags[short] |= Degraded.EXHAUSTED
            self._fill(short, users, kept, masks)
        return {
            "items": kept.items,
            "retrieval_scores": kept.scores,
            "item_sources": kept.sources,
            "filter_flags": flags.reshape(-1, 1),
        }

    def close(self) -> None:
        """Stop trying a filter that is away."""
        self._breaker.close()

    def _contains(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        if self._seen is None:
            raise Unavailable("seen filter", "none is configured", "Give the chain a client")
        return self._breaker.call(self._seen.contains, users, self._catalogue.decode(items))

    def _chosen(self, keep: np.ndarray, sources: np.ndarray) -> np.ndarray:
        """Which K of what is kept: all that another source named, then retrieval's best."""
        named = keep & ((sources & ~np.int32(Source.RETRIEVAL)) != 0)
        plain = keep & ~named
        room = self._ranked - named.sum(axis=1, keepdims=True)
        chosen: np.ndarray = named | (plain & (np.cumsum(plain, axis=1) <= room))
        return chosen

    def _compact(self, found: Candidates, keep: np.ndarray) -> Candidates:
        """The first K kept candidates of each row, in order; the rest are pads."""
        shape = (len(found.items), self._ranked)
        items = np.full(shape, NO_ITEM, np.int64)
        scores, sources = np.full(shape, -np.inf, np.float32), np.zeros(shape, np.int32)
        place = np.cumsum(keep, axis=1) - 1
        row, column = np.nonzero(keep & (place < self._ranked))
        target = (row, place[row, column])
        items[target] = found.items[row, column]
        scores[target] = found.scores[row, column]
        sources[target] = found.sources[row, column]
        return Candidates(items, scores, sources)

    def _fill(
        self, short: np.ndarray, users: np.ndarray, kept: Candidates, masks: Mapping[int, Mask]
    ) -> None:
        """Append unseen popular items to the rows that came out short, below what they have."""
        count = len(self._popular)
        offered = np.array(
            [
                self._popularity.top(count, masks[row])[0] if row in masks else self._popular
                for row in short.tolist()
            ]
        )
        try:
            unseen = ~self._contains(users[short], offered) & (offered != NO_ITEM)
        except Unavailable:
            return  # What may be seen is not offered; the row stays short.
        for row, popular, fresh in zip(short, offered, unseen, strict=True):
            items, scores = kept.items[row], kept.scores[row]
            there = int((items != NO_ITEM).sum())
            extra = popular[fresh & ~np.isin(popular, items[:there])]
            extra = extra[: self._ranked - there]
            lowest = scores[there - 1] if there else 0.0
            filled = slice(there, there + len(extra))
            items[filled] = extra
            scores[filled] = lowest - 1 - np.arange(len(extra))
            kept.sources[row, filled] = Source.FILL


def load(artefacts: Path, parameters: Mapping[str, str], store: Store | None) -> FilterSeenItems:
    """Load the shop's ids and the items' popularity.

    Raises:
        BadData: A file is missing, damaged or of another catalogue.
    """
    rules = RuleTable.load(artefacts)
    catalogue = rules.catalogue
    return FilterSeenItems(
        catalogue,
        Popularity.load(artefacts, items=len(catalogue.item_ids)),
        None if store is None else SeenFilter(store.client, store.seen),
        ranked=int(parameters["ranked"]),
        returned=int(parameters["returned"]),
        breaker=None if store is None else store.breaker,
        rules=rules,
    )
