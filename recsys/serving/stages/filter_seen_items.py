"""Drops what the user has seen and keeps the best K candidates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from recsys.errors import Unavailable
from recsys.online.seen import SeenFilter
from recsys.schema import NO_ITEM, Degraded
from recsys.serving.breaker import Breaker
from recsys.serving.catalogue import Catalogue, Popularity
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
    ) -> None:
        self._catalogue = catalogue
        self._seen = seen
        self._ranked = ranked
        self._enough = min(returned, len(catalogue.item_ids))
        self._popular = popularity.top(min(_FILL, len(catalogue.item_ids)))[0]
        self._breaker = breaker or Breaker()

    def run(self, inputs: Arrays) -> Arrays:
        """Filter.

        Args:
            inputs: user_id int64 [B, 1]; candidates int64 [B, R], best first, -1 for none;
                candidate_scores float32 [B, R].

        Returns:
            items int64 [B, K] and retrieval_scores float32 [B, K] in the candidates' order, -1 and -inf
            at pads; filter_flags int32 [B, 1].
        """
        users, candidates = inputs["user_id"].reshape(-1), inputs["candidates"]
        flags = np.zeros(len(users), np.int32)
        keep = candidates != NO_ITEM
        try:
            keep &= ~self._contains(users, candidates)
        except Unavailable:
            flags |= Degraded.SEEN_FILTER
        items, scores = self._compact(candidates, inputs["candidate_scores"], keep)
        short = np.flatnonzero(keep.sum(axis=1) < self._enough)
        if len(short):
            flags[short] |= Degraded.EXHAUSTED
            self._fill(short, users, items, scores)
        return {"items": items, "retrieval_scores": scores, "filter_flags": flags.reshape(-1, 1)}

    def _contains(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        if self._seen is None:
            raise Unavailable("seen filter", "none is configured", "Give the chain a client")
        return self._breaker.call(self._seen.contains, users, self._catalogue.decode(items))

    def _compact(
        self, candidates: np.ndarray, scores: np.ndarray, keep: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The first K kept candidates of each row, in order; the rest are pads."""
        rows = len(candidates)
        items = np.full((rows, self._ranked), NO_ITEM, np.int64)
        kept_scores = np.full((rows, self._ranked), -np.inf, np.float32)
        place = np.cumsum(keep, axis=1) - 1
        row, column = np.nonzero(keep & (place < self._ranked))
        items[row, place[row, column]] = candidates[row, column]
        kept_scores[row, place[row, column]] = scores[row, column]
        return items, kept_scores

    def _fill(self, short: np.ndarray, users: np.ndarray, items: np.ndarray, scores: np.ndarray) -> None:
        """Append unseen popular items to the rows that came out short, below what they have."""
        offered = np.broadcast_to(self._popular, (len(short), len(self._popular)))
        try:
            unseen = ~self._contains(users[short], offered)
        except Unavailable:
            return  # What may be seen is not offered; the row stays short.
        for row, fresh in zip(short, unseen, strict=True):
            there = int((items[row] != NO_ITEM).sum())
            extra = self._popular[fresh & ~np.isin(self._popular, items[row, :there])]
            extra = extra[: self._ranked - there]
            lowest = scores[row, there - 1] if there else 0.0
            items[row, there : there + len(extra)] = extra
            scores[row, there : there + len(extra)] = lowest - 1 - np.arange(len(extra))


def load(artefacts: Path, parameters: Mapping[str, str], store: Store | None) -> FilterSeenItems:
    """Load the shop's ids and the items' popularity.

    Raises:
        BadData: A file is missing, damaged or of another catalogue.
    """
    catalogue = Catalogue.load(artefacts)
    return FilterSeenItems(
        catalogue,
        Popularity.load(artefacts, items=len(catalogue.item_ids)),
        None if store is None else SeenFilter(store.client, store.seen),
        ranked=int(parameters["ranked"]),
        returned=int(parameters["returned"]),
    )
