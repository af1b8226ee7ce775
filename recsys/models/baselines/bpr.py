"""Bayesian personalised ranking, of the library `implicit`."""

from __future__ import annotations

from typing import Final

import implicit
import numpy as np
import pandas as pd

from recsys.models.baselines.interactions import Interactions

_FACTORS: Final = 64
_ITERATIONS: Final = 150
_LEARNING_RATE: Final = 0.05
_REGULARIZATION: Final = 0.01


class BayesianPersonalisedRanking:
    """Factors with which a user's clicked items score above those not clicked.

    Source: Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", 2009.

    Args:
        user_id: The shop's user id of each training click, int64 [clicks].
        item: Item index of each training click, int64 [clicks].
        items: Size of the catalogue.
        seed: Of the initial factors and of the draws. One thread: with more the draws race.
    """

    def __init__(self, user_id: np.ndarray, item: np.ndarray, items: int, seed: int) -> None:
        self._interactions = Interactions.of(user_id, item, items)
        model = implicit.bpr.BayesianPersonalizedRanking(
            factors=_FACTORS,
            iterations=_ITERATIONS,
            learning_rate=_LEARNING_RATE,
            regularization=_REGULARIZATION,
            num_threads=1,
            random_state=seed,
        )
        model.fit(self._interactions.counts, show_progress=False)
        self._user_factors, self._item_factors = model.user_factors, model.item_factors

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        """float32 [rows, items]; see `Baseline`. A user it does not know gets plain popularity."""
        user = rows["user_id"].to_numpy()
        at = self._interactions.rows_of(user)
        found = np.asarray(self._user_factors[at] @ self._item_factors.T, np.float32)
        return self._interactions.popular_for_strangers(found, user)
