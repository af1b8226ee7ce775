"""What every baseline has in common."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd


class Baseline(Protocol):
    """A trained baseline."""

    def scores(self, rows: pd.DataFrame) -> np.ndarray:
        """Scores every item for each row.

        Args:
            rows: Columns of `schema.USER_RAW` and `schema.CONTEXT_RAW`.

        Returns:
            float32 [rows, items].
        """
        ...
