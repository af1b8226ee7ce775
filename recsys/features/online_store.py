"""Feast's online store, read at serving time without the Feast SDK.

Importing `feast` costs seconds, and a serving process needs nothing else of it. These readers speak the
layout that its Redis online store writes (`recsys.features.feast_layout`); a property test holds them equal
to the SDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import redis
from numpy.typing import ArrayLike, NDArray

from recsys.features.feast_layout import (
    BEHAVIOR_VIEW,
    ITEM_VIEW,
    PROJECT,
    USER_VIEW,
    decode_value,
    entity_key,
    entity_key_prefix,
    field_name,
)
from recsys.schema import UNKNOWN
from recsys.valkey import unavailable

__all__ = [
    "BEHAVIOR_VIEW",
    "ITEM_VIEW",
    "USER_VIEW",
    "ItemFeatureReader",
    "ItemFeatures",
    "UserFeatureReader",
    "UserFeatures",
    "entity_key",
    "field_name",
]


@dataclass(frozen=True)
class UserFeatures:
    """What the store holds of B users; each feature may be missing by itself.

    Attributes:
        age: float32 [B], NaN where missing.
        gender: int64 [B], -1 where missing.
        top_category: int64 [B], -1 where missing; a new visitor may have one and nothing else.
        found: bool [B], whether the user is known, that is, has an age.
    """

    age: NDArray[np.float32]
    gender: NDArray[np.int64]
    top_category: NDArray[np.int64]
    found: NDArray[np.bool_]


@dataclass(frozen=True)
class ItemFeatures:
    """What the store holds of n items.

    Attributes:
        price: float32 [n], NaN where missing.
        category_l1: int64 [n], -1 where missing.
        category_l2: int64 [n], -1 where missing.
        item_gender: int64 [n], -1 where missing.
        found: bool [n], whether every one of the four is there.
    """

    price: NDArray[np.float32]
    category_l1: NDArray[np.int64]
    category_l2: NDArray[np.int64]
    item_gender: NDArray[np.int64]
    found: NDArray[np.bool_]


class UserFeatureReader:
    """Reads `user_features` and `user_behavior_features` of a batch of users in one round trip.

    Args:
        client: See `recsys.valkey.connect`; it must not decode answers.
        project: Feast project.
    """

    def __init__(self, client: redis.Redis, project: str = PROJECT) -> None:
        self._hashes = _Hashes(
            client,
            "user_id",
            {
                (USER_VIEW, "age"): np.dtype("float32"),
                (USER_VIEW, "gender"): np.dtype("int64"),
                (BEHAVIOR_VIEW, "top_category"): np.dtype("int64"),
            },
            project,
        )

    @property
    def malformed(self) -> int:
        """How many values could not be read since this reader was made; each counted as missing."""
        return self._hashes.malformed

    def read(self, user_ids: ArrayLike) -> UserFeatures:
        """Looks up a batch of users.

        Args:
            user_ids: int64 [B] or [B, 1], any values; unknown ones are not an error.

        Raises:
            Unavailable: Valkey did not answer within the client's time limits.
        """
        return self._features(self._hashes.read(np.asarray(user_ids, dtype=np.int64).reshape(-1)))

    def queue(self, pipe: Any, user_ids: NDArray[np.int64]) -> None:
        """Appends one command a user to a pipeline, for who reads more of them in the same round trip.

        Args:
            pipe: A pipeline, not executed yet.
            user_ids: int64 [B].
        """
        self._hashes.queue(pipe, user_ids)

    def parse(self, answers: Sequence[Any]) -> UserFeatures:
        """What the answers to `queue` say.

        Args:
            answers: Of B users; errors may stand among them.

        Raises:
            Unavailable: Valkey refused to answer.
        """
        return self._features(self._hashes.parse(answers))

    @staticmethod
    def _features(columns: list[NDArray[Any]]) -> UserFeatures:
        age, gender, top_category = columns
        return UserFeatures(age, gender, top_category, found=~np.isnan(age))


class ItemFeatureReader:
    """Reads `item_features` of a whole catalogue, a bounded number of items a round trip.

    Args:
        client: See `recsys.valkey.connect`; it must not decode answers.
        project: Feast project.
        chunk: Items a round trip; bounds both memory and how long the server is held.
    """

    def __init__(self, client: redis.Redis, project: str = PROJECT, chunk: int = 1_000) -> None:
        self._chunk = chunk
        integer = np.dtype("int64")
        self._hashes = _Hashes(
            client,
            "item_id",
            {
                (ITEM_VIEW, "price"): np.dtype("float32"),
                (ITEM_VIEW, "category_l1"): integer,
                (ITEM_VIEW, "category_l2"): integer,
                (ITEM_VIEW, "item_gender"): integer,
            },
            project,
        )

    @property
    def malformed(self) -> int:
        """How many values could not be read since this reader was made; each counted as missing."""
        return self._hashes.malformed

    def read(self, item_ids: ArrayLike) -> ItemFeatures:
        """Looks up items.

        Args:
            item_ids: int64 [n], any values; unknown ones are not an error.

        Raises:
            Unavailable: Valkey did not answer within the client's time limits.
        """
        ids = np.asarray(item_ids, dtype=np.int64).reshape(-1)
        starts = range(0, max(len(ids), 1), self._chunk)
        parts = [self._hashes.read(ids[start : start + self._chunk]) for start in starts]
        price, l1, l2, gender = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        # Codes are never negative, so -1 is a missing one.
        found = ~np.isnan(price) & (l1 != UNKNOWN) & (l2 != UNKNOWN) & (gender != UNKNOWN)
        return ItemFeatures(price, l1, l2, gender, found)


class _Hashes:
    """Columns of numbers out of the hashes of one kind of entity."""

    def __init__(
        self, client: redis.Redis, join_key: str, columns: dict[tuple[str, str], np.dtype[Any]], project: str
    ) -> None:
        self._client = client
        self._prefix = entity_key_prefix(join_key)
        self._suffix = project.encode()
        self._dtypes = list(columns.values())
        self._fields = [field_name(view, feature) for view, feature in columns]
        self.malformed = 0

    def read(self, ids: NDArray[np.int64]) -> list[NDArray[Any]]:
        """One array [B] a column; NaN or -1 where the value is missing or malformed."""
        return self.parse(self._fetch(ids) if len(ids) else [])

    def parse(self, answers: Sequence[Any]) -> list[NDArray[Any]]:
        """The columns, from one answer a row."""
        rows = [row if isinstance(row, list) else self._refused(row) for row in answers]
        columns = []
        for position, dtype in enumerate(self._dtypes):
            number = self._float if dtype.kind == "f" else self._int
            columns.append(np.array([number(row[position]) for row in rows], dtype=dtype))
        return columns

    def queue(self, pipe: Any, ids: NDArray[np.int64]) -> None:
        """Appends one command a row to a pipeline."""
        raw = np.ascontiguousarray(ids, dtype="<i8").tobytes()
        for start in range(0, len(raw), 8):
            pipe.hmget(self._prefix + raw[start : start + 8] + self._suffix, self._fields)

    def _fetch(self, ids: NDArray[np.int64]) -> list[Any]:
        pipe = self._client.pipeline(transaction=False)
        self.queue(pipe, ids)
        try:
            answers: list[Any] = pipe.execute(raise_on_error=False)
        except (redis.RedisError, OSError) as error:
            raise unavailable(error) from error
        return answers

    def _refused(self, error: Exception) -> list[bytes | None]:
        """A key of another type is one malformed row; any other refusal is the server's."""
        if not str(error).startswith("WRONGTYPE"):
            raise unavailable(error) from error
        self.malformed += 1
        return [None] * len(self._fields)

    def _int(self, value: bytes | None) -> int:
        number = self._number(value)
        if number is None:
            return UNKNOWN
        if isinstance(number, int):
            return number
        self.malformed += 1
        return UNKNOWN

    def _float(self, value: bytes | None) -> float:
        number = self._number(value)
        return float("nan") if number is None else float(number)

    def _number(self, value: bytes | None) -> int | float | None:
        if value is None:
            return None
        try:
            return decode_value(value)
        except ValueError:
            self.malformed += 1
            return None
