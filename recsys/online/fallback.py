"""Answers without Triton: what a batch job worked out before, or what is popular.

A `PopularShelf` is in this process's memory, so that it answers whatever else is down.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

import numpy as np
import redis
from numpy.typing import NDArray

from recsys.errors import RecsysError, Unavailable
from recsys.features.online_store import UserFeatureReader
from recsys.online import keys
from recsys.online.batch_answer import BatchAnswer
from recsys.online.catalogue import Catalogue, Catalogues
from recsys.online.connection import answering
from recsys.online.popularity import Popularity
from recsys.online.rules import Rules
from recsys.online.seen import SeenFilter
from recsys.schema import NO_ITEM, UNKNOWN, Degraded
from recsys.serving.breaker import Breaker
from recsys.settings import Settings

_log = logging.getLogger(__name__)

POPULAR = "popular"
PRECOMPUTED = "precomputed"
_LOOKED_AT = 1_000  # popular items that the seen filter is asked about: a bound, not a promise


@dataclass(frozen=True)
class Ranked:
    """Items for one user, best first.

    Attributes:
        catalogue: Where the items are.
        indexes: int64 [n], rows of the catalogue.
        scores: float64 [n], never rising.
        degraded: What came from a fallback.
        source: Which rung these are from, for `explain`.
        candidate_of: Which lists of candidates each was among, where the ensemble ranked them.
        propensities: The chance of each place, float64 [n], where the ensemble explored.
    """

    catalogue: Catalogue
    indexes: NDArray[np.int64]
    scores: NDArray[np.float64]
    degraded: Degraded
    source: str
    candidate_of: NDArray[np.int32] | None = None
    propensities: NDArray[np.float64] | None = None


class PopularShelf:
    """The popular items of the current release: by today's counts, then by the training window's.

    Args:
        catalogues: The releases.
        popularity: Today's counts.
    """

    def __init__(self, catalogues: Catalogues, popularity: Popularity) -> None:
        self._catalogues = catalogues
        self._popularity = popularity
        self._lock = threading.Lock()
        self._catalogue: Catalogue | None = None
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._live: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def refresh(self) -> None:
        """Read the current release and today's counts; what cannot be read stays as it was."""
        try:
            self._live = self._popularity.top(keys.POPULAR, _LOOKED_AT).ids
        except Unavailable as error:
            _log.warning("popular items stay as they were: %s", error)
        try:
            catalogue = self._catalogues.current()
        except RecsysError as error:
            _log.warning("popular items stay as they were: %s", error)
            return
        if catalogue is None:
            return
        live = catalogue.indexes(self._live)
        live = live[live != NO_ITEM]
        trained = np.argsort(-catalogue.popularity, kind="stable")
        order = np.concatenate([live, trained[~np.isin(trained, live)]])
        with self._lock:
            self._catalogue, self._order = catalogue, order

    def items(self) -> tuple[Catalogue, NDArray[np.int64]] | None:
        """The catalogue and all its rows, most popular first; None before any release was read."""
        with self._lock:
            return None if self._catalogue is None else (self._catalogue, self._order)


class Fallback:
    """The rungs below the ensemble.

    Args:
        client: Client of Valkey with short time limits.
        settings: Those of the seen filter.
        catalogues: The releases.
        shelf: What is popular.
        breaker: Guards Valkey, so that requests do not each wait for a server that is away.
    """

    def __init__(
        self,
        client: redis.Redis,
        settings: Settings,
        catalogues: Catalogues,
        shelf: PopularShelf,
        breaker: Breaker | None = None,
    ) -> None:
        self._client = client
        self._catalogues = catalogues
        self._shelf = shelf
        self._breaker = breaker or Breaker(cooldown_s=0.2, longest_s=1.0, probe=client.ping)
        self._seen = SeenFilter(client, settings.seen)
        self._users = UserFeatureReader(client)

    def close(self) -> None:
        """Stop trying a Valkey that is away."""
        self._breaker.close()

    def catalogue(self) -> Catalogue | None:
        """The catalogue that popular items come from; None before any release was read."""
        known = self._shelf.items()
        return None if known is None else known[0]

    def precomputed(self, user_id: int) -> Ranked | None:
        """What a batch job worked out for a user, less what was seen since.

        Args:
            user_id: The user.

        Returns:
            None when there is nothing for this user or Valkey does not answer.
        """
        try:
            found = self._breaker.call(self._get, keys.precomputed(user_id))
            if found is None:
                return None
            stored = BatchAnswer.from_bytes(found)
            catalogue = self._catalogues.of(stored.release)
        except RecsysError as error:
            _log.warning("no precomputed answer for user %d: %s", user_id, error)
            return None
        indexes = catalogue.indexes(stored.ids)
        scores = stored.scores.astype(np.float64)
        keep, degraded = self._unseen(user_id, catalogue, indexes)
        keep &= indexes != NO_ITEM
        return Ranked(
            catalogue,
            indexes[keep],
            scores[keep],
            Degraded.PRECOMPUTED | degraded,
            PRECOMPUTED,
        )

    def popular(self, user_id: int, rules: Rules, *, from_memory: bool = False) -> Ranked | None:
        """What is popular: first in the user's last known category, if there is one.

        Args:
            user_id: The user; -1 for an anonymous visitor.
            rules: What may be shown.
            from_memory: Ask Valkey neither for the user's category nor for what was seen.

        Returns:
            None before any release was read.
        """
        known = self._shelf.items()
        if known is None:
            return None
        catalogue, order = known
        allowed = rules.allowed(catalogue)
        if allowed is not None:
            order = order[allowed[order]]
        category = UNKNOWN if from_memory else self._category(user_id)
        if category != UNKNOWN:
            own = catalogue.category_l1[order] == category
            order = np.concatenate([order[own], order[~own]])
        order = order[:_LOOKED_AT]
        if from_memory:
            keep, degraded = np.ones(len(order), dtype=np.bool_), Degraded.SEEN_FILTER
        else:
            keep, degraded = self._unseen(user_id, catalogue, order)
        chosen = order[keep]
        scores = 1.0 / (1.0 + np.arange(len(chosen)))
        return Ranked(catalogue, chosen, scores, Degraded.POPULAR | degraded, POPULAR)

    def _get(self, key: str) -> bytes | None:
        with answering():
            found: bytes | None = self._client.get(key)
            return found

    def _category(self, user_id: int) -> int:
        if user_id == UNKNOWN:
            return UNKNOWN
        try:
            return int(self._breaker.call(self._users.read, [user_id]).top_category[0])
        except Unavailable:
            return UNKNOWN

    def _unseen(
        self, user_id: int, catalogue: Catalogue, indexes: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], Degraded]:
        if user_id == UNKNOWN or not len(indexes):
            return np.ones(len(indexes), dtype=np.bool_), Degraded.NONE
        try:
            items = catalogue.item_ids[indexes][None, :]
            return ~self._breaker.call(self._seen.contains, [user_id], items)[0], Degraded.NONE
        except Unavailable:
            return np.ones(len(indexes), dtype=np.bool_), Degraded.SEEN_FILTER
