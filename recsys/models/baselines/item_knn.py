"""Items that are clicked by the same users as what the user clicked: item-based nearest neighbours."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from recsys.models.baselines.interactions import Interactions

_NEIGHBOURS: Final = 200
_SHRINK: Final = 50.0


class ItemNeighbours:
    """Cosine similarity of the items' click columns, the nearest neighbours kept.

    s(i, j) = x_i · x_j / (|x_i| |x_j| + shrink); a user's score of an item is the sum of its similarities to
    what they clicked. Sources: Sarwar et al., "Item-based collaborative filtering recommendation
    algorithms", 2001; the shrunk cosine: Ferrari Dacrema et al., "Are we really making much progress?", 2019.

    Args:
        user_id: The shop's user id of each training click, int64 [clicks].
        item: Item index of each training click, int64 [clicks].
        items: Size of the catalogue.
    """

    def __init__(self, user_id: np.ndarray, item: np.ndarray, items: int) -> None:
        self._interactions = Interactions.of(user_id, item, items)
        counts = self._interactions.counts
        together = (counts.T @ counts).toarray()
        norm = np.sqrt(np.diag(together))
        similarity: np.ndarray = together / (np.outer(norm, norm) + _SHRINK)
        np.fill_diagonal(similarity, 0)
        if items > _NEIGHBOURS:
            floor = np.partition(similarity, -_NEIGHBOURS, axis=1)[:, -_NEIGHBOURS]
            similarity[similarity < floor[:, None]] = 0
        self._similarity = similarity.astype(np.float32)

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        """float32 [rows, items]; see `Baseline`. A user it does not know gets plain popularity."""
        user = rows["user_id"].to_numpy()
        found = np.asarray(self._interactions.profiles(user) @ self._similarity.T, np.float32)
        return self._interactions.popular_for_strangers(found, user)
