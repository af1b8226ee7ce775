"""Finds the R items with the greatest inner product, and a few popular ones, within the shop's rules."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recsys.errors import Unavailable
from recsys.index import Index, Sharded, open_index
from recsys.index.scatter import Scattered
from recsys.schema import NO_ITEM, Degraded, Source
from recsys.serving.catalogue import Popularity
from recsys.serving.merge import Candidates, merge
from recsys.serving.rules import Mask, RuleTable
from recsys.serving.sources import Places, Sources
from recsys.serving.stage import Arrays
from recsys.serving.store import Store

_log = logging.getLogger(__name__)


class FaissRetrieval:
    """Top-R search among what the rules allow, never failing a request.

    Args:
        index: The release's index.
        popularity: What to offer where the search cannot.
        retrieved: R.
        rules: What rules are decided by; None where requests have none.
        sources: Candidates that are appended; None for none.
        whole: Whether an index in parts of which one does not answer is an error; else the others' items are
            offered.
    """

    def __init__(
        self,
        index: Index | Scattered,
        popularity: Popularity,
        retrieved: int,
        rules: RuleTable | None = None,
        sources: Sources | None = None,
        *,
        whole: bool = False,
    ) -> None:
        self._index = index
        self._popularity = popularity
        self._retrieved = retrieved
        self._rules = rules
        self._sources = sources
        self._whole = whole
        self._popular = popularity.top(retrieved)

    def run(self, inputs: Arrays) -> Arrays:
        """Search.

        Args:
            inputs: user_embedding float32 [B, 64], NaN where the tower failed; top_category int64 [B, 1]; the
                inputs that `RuleTable.masks` reads.

        Returns:
            candidates int64 [B, R], item indexes, best first, then those of other sources, -1 for none;
            candidate_scores float32 [B, R], inner products, -inf at pads; candidate_sources int32 [B, R];
            retrieval_flags int32 [B, 1].

        Raises:
            Unavailable: A part of the index did not answer, and it must be whole.
        """
        users = inputs["user_embedding"]
        usable = np.isfinite(users).all(axis=1)
        # A NaN would make FAISS's heap return nonsense for that row alone; zeros are harmless.
        asked = np.where(usable[:, None], users, 0)
        masks = {} if self._rules is None else self._rules.masks(inputs)
        partial = np.zeros(len(users), np.bool_)
        try:
            found = self._search(asked, masks, partial)
            if self._sources is not None:
                found = self._appended(found, self._sources, asked, inputs["top_category"], masks)
        except Exception as error:  # whatever it is, popular items beat an error unless one is asked for
            if self._whole and isinstance(error, Unavailable):
                raise
            _log.exception("index search failed")
            usable[:], partial[:] = False, False
            empty = (len(users), self._retrieved)
            found = Candidates.of(np.empty(empty, np.int64), np.empty(empty, np.float32), Source.POPULAR)
        for row in np.flatnonzero(~usable).tolist():
            items, scores = self._popular
            if row in masks:
                items, scores = self._popularity.top(self._retrieved, masks[row])
            found.items[row], found.scores[row] = items, scores
            found.sources[row] = np.where(items == NO_ITEM, Source.NONE, Source.POPULAR)
        flags = np.where(usable, Degraded.NONE, Degraded.RETRIEVAL).astype(np.int32)
        flags |= np.where(usable & partial, Degraded.INDEX_PART, Degraded.NONE).astype(np.int32)
        return {
            "candidates": found.items,
            "candidate_scores": found.scores,
            "candidate_sources": found.sources,
            "retrieval_flags": flags.reshape(-1, 1),
        }

    def close(self) -> None:
        """Stop refreshing the other sources, and end the threads of an index in parts."""
        if self._sources is not None:
            self._sources.close()
        if isinstance(self._index, Scattered):
            self._index.close()

    def _search(self, users: np.ndarray, masks: Mapping[int, Mask], partial: np.ndarray) -> Candidates:
        """The nearest; `partial` gets true where a part of the index did not answer."""
        shape = (len(users), self._retrieved)
        scores, items = np.empty(shape, np.float32), np.empty(shape, np.int64)
        free = np.ones(len(users), np.bool_)
        free[list(masks)] = False
        asked: list[tuple[np.ndarray | slice, Mask | None]] = [(free, None)] if free.any() else []
        asked += [(slice(row, row + 1), mask) for row, mask in masks.items()]
        for rows, mask in asked:
            if isinstance(self._index, Scattered) and not self._whole:
                scores[rows], items[rows], silent = self._index.search_those_there(
                    users[rows], self._retrieved, mask
                )
                partial[rows] = bool(silent)
            else:
                scores[rows], items[rows] = self._index.search(users[rows], self._retrieved, mask)
        return Candidates.of(items, scores, Source.RETRIEVAL)

    def _appended(
        self,
        found: Candidates,
        sources: Sources,
        users: np.ndarray,
        top_category: np.ndarray,
        masks: Mapping[int, Mask],
    ) -> Candidates:
        try:
            named, bits = sources.lists.nominate(top_category.reshape(-1))
            for row, mask in masks.items():
                named[row, ~mask[named[row]]] = NO_ITEM
            worth = self._index.inner_products(users, named)
            named[np.isneginf(worth)] = NO_ITEM  # of a part that did not answer
            return merge(found, named, bits, worth)
        except Exception:  # noqa: BLE001 - whatever it raises, the nearest alone are nearly as good
            _log.exception("no candidates but the nearest")
            return found


def load(artefacts: Path, parameters: Mapping[str, str], store: Store | None) -> FaissRetrieval:
    """Load the index, the items' popularity and what rules need.

    Raises:
        BadData: A file is missing, damaged or of another catalogue.
    """
    index, items = _index(artefacts, parameters)
    popularity = Popularity.load(artefacts, items=items)
    rules, retrieved = RuleTable.load(artefacts), int(parameters["retrieved"])
    places = Places.within(retrieved - int(parameters["ranked"]), parameters)
    sources = None
    if places.total:
        live = None if store is None else store.popularity()
        sources = Sources(rules, popularity.counts, places, live)
        if live is not None:
            sources.start(float(parameters["sources_refresh_s"]))
    whole = parameters.get("index_silence") == "error"
    return FaissRetrieval(index, popularity, retrieved, rules, sources, whole=whole)


def _index(artefacts: Path, parameters: Mapping[str, str]) -> tuple[Index | Sharded | Scattered, int]:
    """The index, here or on other machines, and its number of items."""
    addresses = parameters.get("index_shards", "")
    if not addresses:
        index = open_index(artefacts)
        return index, index.meta.items
    from recsys.index.shard_model import sizes_of
    from recsys.index.triton_part import scattered

    names = addresses.split(",")
    sizes = sizes_of(artefacts, len(names))
    version = artefacts.name if artefacts.name.isdigit() else ""
    return scattered(names, sizes, float(parameters["index_timeout_s"]), version), sum(sizes)
