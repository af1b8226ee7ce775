"""Matrix factorisation by alternating least squares, of the library `implicit`."""

from __future__ import annotations

from typing import Final

import implicit
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.models.baselines.interactions import Interactions

_FACTORS: Final = 64
# Found by trying a few on the retail shop: a baseline with defaults (1 and 0.01) would be beaten too easily.
_ALPHA: Final = 10.0
_REGULARIZATION: Final = 10.0


class AlternatingLeastSquares:
    """User and item factors of the click counts (Hu, Koren and Volinsky, 2008).

    Args:
        user_id: The shop's user id of each training click, int64 [clicks].
        item: Item index of each training click, int64 [clicks].
        items: Size of the catalogue.
        seed: Of the initial factors.
    """

    def __init__(self, user_id: np.ndarray, item: np.ndarray, items: int, seed: int) -> None:
        self._interactions = Interactions.of(user_id, item, items)
        with threadpool_limits(1, "blas"):  # implicit has threads of its own; BLAS's only fight with them
            model = implicit.als.AlternatingLeastSquares(
                factors=_FACTORS, alpha=_ALPHA, regularization=_REGULARIZATION, random_state=seed
            )
            model.fit(self._interactions.counts, show_progress=False)
        self._user_factors, self._item_factors = model.user_factors, model.item_factors

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        """float32 [rows, items]; see `Baseline`. A user it does not know gets plain popularity."""
        user = rows["user_id"].to_numpy()
        at = self._interactions.rows_of(user)
        found: np.ndarray = self._user_factors[at] @ self._item_factors.T
        return self._interactions.popular_for_strangers(found, user)
