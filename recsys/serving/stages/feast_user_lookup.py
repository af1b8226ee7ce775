"""Reads users' features from Feast's online store; a user it does not know is a cold start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recsys.errors import BadData, Unavailable
from recsys.features.online_store import UserFeatureReader, UserFeatures
from recsys.schema import DEFAULTS_FILE, UNKNOWN, Degraded
from recsys.serving.breaker import Breaker
from recsys.serving.stage import Arrays
from recsys.serving.store import Store


class FeastUserLookup:
    """Age, gender and top category of the users of a batch, in one round trip.

    Args:
        mean_age: Years; stands in where the age is missing, as it did in training.
        reader: Feast's online store; None to answer cold starts only.
        breaker: Guards the store.
    """

    def __init__(
        self, mean_age: float, reader: UserFeatureReader | None, breaker: Breaker | None = None
    ) -> None:
        self.mean_age = np.float32(mean_age)
        self._reader = reader
        self._breaker = breaker or Breaker()

    def run(self, inputs: Arrays) -> Arrays:
        """Look up.

        Args:
            inputs: user_id int64 [B, 1].

        Returns:
            age float32, gender and top_category int64 with -1 where missing, user_flags int32, all
            [B, 1]. A new visitor's top category is kept although nothing else is known of them.
        """
        users = inputs["user_id"]
        rows = len(users)
        try:
            found = self._read(users.reshape(-1))
        except Unavailable:
            return {
                "age": np.full((rows, 1), self.mean_age),
                "gender": np.full((rows, 1), UNKNOWN, np.int64),
                "top_category": np.full((rows, 1), UNKNOWN, np.int64),
                "user_flags": np.full((rows, 1), Degraded.USER_FEATURES, np.int32),
            }
        age = np.where(np.isfinite(found.age), found.age, self.mean_age).astype(np.float32)
        return {
            "age": age.reshape(-1, 1),
            "gender": found.gender.astype(np.int64).reshape(-1, 1),
            "top_category": found.top_category.astype(np.int64).reshape(-1, 1),
            "user_flags": np.zeros((rows, 1), np.int32),
        }

    def _read(self, users: np.ndarray) -> UserFeatures:
        if self._reader is None:
            raise Unavailable("feature store", "none is configured", "Give the chain a client")
        return self._breaker.call(self._reader.read, users)


def load(artefacts: Path, parameters: Mapping[str, str], store: Store | None) -> FeastUserLookup:
    """Load the mean age of the release's training rows.

    Raises:
        BadData: The defaults are missing or hold no mean age.
    """
    del parameters
    path = artefacts / DEFAULTS_FILE
    try:
        mean_age = float(json.loads(path.read_text(encoding="utf-8"))["mean_age"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadData(str(path), f"has no mean_age ({error})", "Build the release again") from error
    return FeastUserLookup(mean_age, None if store is None else UserFeatureReader(store.client))
