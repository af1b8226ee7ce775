from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.synthetic.assortment import STYLES
from recsys.data.synthetic.drawing.texture import pattern_mask, tint

LEVEL = st.integers(0, 255)


@given(st.tuples(LEVEL, LEVEL, LEVEL), st.floats(0, 2))
def test_tints_are_colours(colour, factor):
    tinted = tint(colour, factor)
    assert all(0 <= level <= 255 for level in tinted)
    assert all(t <= c if factor <= 1 else t >= c for t, c in zip(tinted, colour, strict=True))


def test_ends_of_tint():
    assert tint((10, 20, 30), 0) == (0, 0, 0)
    assert tint((10, 20, 30), 1) == (10, 20, 30)
    assert tint((10, 20, 30), 2) == (255, 255, 255)


@pytest.mark.parametrize("name", sorted({p for style in STYLES for p in style.patterns} - {"plain"}))
def test_patterns_show_both_colours_and_differ(name):
    mask = np.asarray(pattern_mask(name, 200))
    assert 0.02 < (mask > 0).mean() < 0.8
    others = {p for style in STYLES for p in style.patterns} - {"plain", name}
    assert all((np.asarray(pattern_mask(other, 200)) != mask).any() for other in others)


def test_plain_has_no_pattern():
    assert pattern_mask("plain", 200) is None
