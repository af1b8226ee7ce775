"""EASE^R: a linear autoencoder over items in closed form."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve

from recsys.models.baselines.interactions import Interactions

# Found by trying a few on the retail shop, as those of the other baselines.
_REGULARIZATION: Final = 20.0


class Ease:
    """The item weights B that best rebuild the clicks X as X B, diag(B) = 0, under an L2 penalty.

    With P = (X^T X + lambda I)^-1: B_ij = -P_ij / P_jj, and 0 on the diagonal. Source: Steck, "Embarrassingly
    shallow autoencoders for sparse data", 2019, equations 5 to 8.

    Args:
        user_id: The shop's user id of each training click, int64 [clicks].
        item: Item index of each training click, int64 [clicks].
        items: Size of the catalogue.
        regularization: lambda.
    """

    def __init__(
        self, user_id: np.ndarray, item: np.ndarray, items: int, regularization: float = _REGULARIZATION
    ) -> None:
        self._interactions = Interactions.of(user_id, item, items)
        counts = self._interactions.counts.astype(np.float64)
        gram = (counts.T @ counts).toarray()
        gram[np.diag_indices(items)] += regularization
        inverse = cho_solve(cho_factor(gram, overwrite_a=True), np.eye(items))
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0)
        self._weights: np.ndarray = weights.astype(np.float32)

    @property
    def weights(self) -> np.ndarray:
        """B, float32 [items, items]."""
        return self._weights

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        """float32 [rows, items]; see `Baseline`. A user it does not know gets plain popularity."""
        user = rows["user_id"].to_numpy()
        found = np.asarray(self._interactions.profiles(user) @ self._weights, np.float32)
        return self._interactions.popular_for_strangers(found, user)
