"""Which times of a request can be."""

from __future__ import annotations

from typing import Final

import numpy as np

# The end of the year 9999: beyond it lie mistakes, such as milliseconds for seconds.
_LATEST: Final = 253_402_300_799


def is_moment(timestamp: np.ndarray) -> np.ndarray:
    """Whether unix seconds say when a request is made; 0, negative and absurdly late mean now; bool."""
    given: np.ndarray = (timestamp > 0) & (timestamp <= _LATEST)
    return given
