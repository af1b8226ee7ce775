"""Clicks as a sparse matrix of users and items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix, csr_matrix


@dataclass(frozen=True)
class Interactions:
    """Who clicked what how often.

    Attributes:
        counts: Clicks, float32 [users, items], CSR.
        users: The shop's user id of each row, int64 [users].
        popularity: Clicks of each item, float32 [items].
    """

    counts: csr_matrix
    users: np.ndarray
    popularity: np.ndarray

    @classmethod
    def of(cls, user_id: np.ndarray, item: np.ndarray, items: int) -> Interactions:
        """Counts clicks.

        Args:
            user_id: The shop's user id of each click, int64 [clicks].
            item: Item index of each click, int64 [clicks].
            items: Size of the catalogue.
        """
        row, users = pd.factorize(user_id)
        ones = np.ones(len(item), np.float32)
        counts = coo_matrix((ones, (row, item)), shape=(len(users), items)).tocsr()
        return cls(counts, users, np.bincount(item, minlength=items).astype(np.float32))

    def rows_of(self, user_id: np.ndarray) -> np.ndarray:
        """Row of each user, int64; -1 for one without a click."""
        rows: np.ndarray = pd.Index(self.users).get_indexer(user_id).astype(np.int64)
        return rows

    def profiles(self, user_id: np.ndarray) -> csr_matrix:
        """The users' rows of `counts`; empty for one without a click."""
        at = self.rows_of(user_id)
        found = self.counts[np.maximum(at, 0)]
        return found.multiply((at >= 0)[:, None]).tocsr()

    def popular_for_strangers(self, scores: np.ndarray, user_id: np.ndarray) -> np.ndarray:
        """The scores, with plain popularity for users without a click; changed in place."""
        scores[self.rows_of(user_id) < 0] = self.popularity
        return scores
