"""How costs grow with size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float | None:
    """The exponent b of cost = a · size^b, fitted to the logarithms by least squares.

    Args:
        sizes: At least two different ones.
        costs: One for each size; None if one is not above zero.
    """
    if min(costs) <= 0 or len(set(sizes)) < 2:
        return None
    return round(float(np.polyfit(np.log(sizes), np.log(costs), 1)[0]), 2)
