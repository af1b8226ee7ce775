from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.models import bias


def test_gini_knows_its_ends():
    assert bias.gini(np.full(7, 3)) == pytest.approx(0)
    assert bias.gini(np.array([0, 0, 0, 9])) == pytest.approx(3 / 4)
    assert bias.gini(np.zeros(4)) == 0


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20).filter(any))
def test_gini_is_half_the_relative_mean_difference(counts):
    x = np.array(counts, float)
    expected = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert bias.gini(x) == pytest.approx(expected)


def test_lists_of_the_head_alone_show_it():
    clicks = np.array([10, 1, 1, 0])
    found = bias.exposure(np.array([[0, -1], [0, 1]]), clicks)
    assert found["coverage"] == 0.5
    assert found["head"] == pytest.approx(2 / 3)
    assert found["mean_popularity"] == pytest.approx((10 + 10 + 1) / 3 / 12 * 4)
    assert bias.exposure(np.full((2, 2), -1), clicks)["mean_popularity"] == 0
