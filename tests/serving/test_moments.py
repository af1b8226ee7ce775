"""A time that cannot be means now."""

from __future__ import annotations

import numpy as np

from recsys.serving.moments import is_moment


def test_only_times_that_can_be_are_moments() -> None:
    given = np.array([-1, 0, 1, 1_754_000_000, 253_402_300_799, 253_402_300_800, 1_754_000_000_000])
    assert is_moment(given).tolist() == [False, False, True, True, True, False, False]
