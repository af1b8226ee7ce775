"""Reads users' features and newest clicks from the online store; a user it does not know is a cold start."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from recsys.errors import BadData, Unavailable
from recsys.online.clock import wall_ms
from recsys.online.recents import NEVER, RecentItems
from recsys.online.user_state import UserState, UserStateReader
from recsys.schema import DEFAULTS_FILE, NO_ITEM, RECENT_CLICKS, UNKNOWN, Degraded
from recsys.serving.breaker import Breaker
from recsys.serving.catalogue import Catalogue
from recsys.serving.moments import is_moment
from recsys.serving.stage import Arrays
from recsys.serving.store import Store

_HOUR_MS: Final = 3_600_000


class FeastUserLookup:
    """Age, gender, top category and newest clicks of the users of a batch, in one round trip.

    Args:
        mean_age: Years; stands in where the age is missing, as it did in training.
        catalogue: The release's items; clicks on others are left out.
        reader: The online store; None to answer cold starts only.
        breaker: Guards the store.
        now_ms: Clock, for requests that do not say when.
    """

    def __init__(
        self,
        mean_age: float,
        catalogue: Catalogue,
        reader: UserStateReader | None,
        breaker: Breaker | None = None,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self.mean_age = np.float32(mean_age)
        self._catalogue = catalogue
        self._reader = reader
        self._breaker = breaker or Breaker()
        self._now_ms = now_ms

    def run(self, inputs: Arrays) -> Arrays:
        """Look up.

        Args:
            inputs: user_id int64 [B, 1]; timestamp int64 [B, 1], unix seconds, 0 for now.

        Returns:
            age float32, gender and top_category int64 with -1 where missing, user_flags int32, all
            [B, 1]; recent_items int64 [B, 50], item indexes, newest first, -1 where there is none, and
            recent_ages float32 [B, 50], hours. A new visitor's top category and clicks are kept although
            nothing else is known of them.
        """
        users, given = inputs["user_id"].reshape(-1), inputs["timestamp"].reshape(-1)
        now_ms = np.where(is_moment(given), given, 0) * 1000
        now_ms[now_ms == 0] = self._now_ms()
        try:
            found = self._read(users, now_ms)
        except Unavailable:
            return self._cold(len(users))
        known = found.features
        age = np.where(np.isfinite(known.age), known.age, self.mean_age).astype(np.float32)
        return {
            "age": age.reshape(-1, 1),
            "gender": known.gender.astype(np.int64).reshape(-1, 1),
            "top_category": known.top_category.astype(np.int64).reshape(-1, 1),
            **self._recents(found.recents, now_ms),
            "user_flags": np.zeros((len(users), 1), np.int32),
        }

    def close(self) -> None:
        """Stop trying a store that is away."""
        self._breaker.close()

    def _read(self, users: np.ndarray, now_ms: np.ndarray) -> UserState:
        if self._reader is None:
            raise Unavailable("feature store", "none is configured", "Give the chain a client")
        return self._breaker.call(self._reader.read, users, now_ms)

    def _recents(self, recents: RecentItems, now_ms: np.ndarray) -> Arrays:
        """Item indexes and ages, what the release does not know left out."""
        items = np.where(recents.at_ms != NEVER, self._catalogue.encode(recents.ids), NO_ITEM)
        # A click after the request's time, as clocks that differ make one, has just happened.
        ages = np.maximum(now_ms[:, None] - recents.at_ms, 0) / _HOUR_MS
        known = items != NO_ITEM
        first = np.argsort(~known, axis=1, kind="stable")
        items = np.take_along_axis(items, first, axis=1)
        ages = np.take_along_axis(np.where(known, ages, 0), first, axis=1)
        return {"recent_items": items, "recent_ages": ages.astype(np.float32)}

    def _cold(self, rows: int) -> Arrays:
        return {
            "age": np.full((rows, 1), self.mean_age),
            "gender": np.full((rows, 1), UNKNOWN, np.int64),
            "top_category": np.full((rows, 1), UNKNOWN, np.int64),
            "recent_items": np.full((rows, RECENT_CLICKS), NO_ITEM, np.int64),
            "recent_ages": np.zeros((rows, RECENT_CLICKS), np.float32),
            "user_flags": np.full((rows, 1), Degraded.USER_FEATURES, np.int32),
        }


def load(artefacts: Path, parameters: Mapping[str, str], store: Store | None) -> FeastUserLookup:
    """Load the mean age of the release's training rows, and which items it knows.

    Raises:
        BadData: The defaults are missing or hold no mean age, or the shop's ids are missing or damaged.
    """
    del parameters
    path = artefacts / DEFAULTS_FILE
    try:
        mean_age = float(json.loads(path.read_text(encoding="utf-8"))["mean_age"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadData(str(path), f"has no mean_age ({error})", "Build the release again") from error
    catalogue = Catalogue.load(artefacts)
    if store is None:
        return FeastUserLookup(mean_age, catalogue, None)
    reader = UserStateReader(store.client, store.recents)
    return FeastUserLookup(mean_age, catalogue, reader, store.breaker)
