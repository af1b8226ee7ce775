from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.serving.caps import capped


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 8))
def test_it_is_the_greedy_walk(seed, most, count):
    rng = np.random.default_rng(seed)
    relevance, category = rng.permutation(8)[None].astype(float), rng.integers(3, size=(1, 8))
    walked, passed, full = [], [], dict.fromkeys(range(3), 0)
    for at in np.argsort(-relevance[0]).tolist():
        full[int(category[0, at])] += 1
        (walked if full[int(category[0, at])] <= most else passed).append(at)
    assert capped(relevance, category, count, most)[0].tolist() == (walked + passed)[:count]


def test_pads_come_last_and_count_towards_no_category():
    relevance = np.array([[-np.inf, 3.0, 2.0, 1.0]])
    found = capped(relevance, np.array([[5, 5, 5, 6]]), 4, 1)
    assert found.tolist() == [[1, 3, 2, 0]]
