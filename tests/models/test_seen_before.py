from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.models.seen_before import SeenBefore

ITEMS = 6
clicks = st.lists(st.tuples(st.integers(-2, 3), st.integers(0, ITEMS - 1), st.integers(0, 9)), max_size=30)
asked = st.lists(st.tuples(st.integers(-3, 4), st.integers(0, 10)), min_size=1, max_size=8)


@given(clicks, asked)
def test_both_forms_are_the_clicks_before_the_row(clicks, asked):
    user, item, at = (np.array([click[i] for click in clicks], dtype=np.int64) for i in range(3))
    seen = SeenBefore(user, item, at, ITEMS)
    who, when = (np.array([row[i] for row in asked], dtype=np.int64) for i in range(2))
    expected = np.array(
        [[any(c == (u, i, c[2]) and c[2] < t for c in clicks) for i in range(ITEMS)] for u, t in asked]
    )
    everything = np.tile(np.arange(ITEMS), (len(asked), 1))
    assert (seen.contains(who, when, everything) == expected).all()
    row, found = seen.pairs(who, when)
    assert sorted(zip(row.tolist(), found.tolist(), strict=True)) == sorted(
        zip(*(part.tolist() for part in np.nonzero(expected)), strict=True)
    )


def test_a_pad_is_never_seen():
    seen = SeenBefore(np.array([0]), np.array([0]), np.array([1]), ITEMS)
    assert not seen.contains(np.array([0]), np.array([9]), np.array([[-1, 3]])).any()
