from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.release.svg import Axis, interval_bar, lines


@given(value=st.floats(0.01, 1e6), logarithmic=st.booleans())
def test_every_value_lies_on_its_axis(value: float, logarithmic: bool) -> None:
    axis = Axis("", 1, 300, logarithmic)
    assert 0 <= axis.share(value) <= 1
    assert axis.share(1) == 0
    assert axis.share(300) == 1


def test_ticks() -> None:
    assert Axis("", 1, 300, logarithmic=True).ticks() == [1, 10, 100]
    assert Axis("", 0, 1).ticks() == [0, 0.25, 0.5, 0.75, 1]


def test_lines_are_drawn_named_and_escaped() -> None:
    drawn = lines({"a<b": [(0, 0), (1, 1)], "c": [(0, 1)]}, Axis("x", 0, 1), Axis("y", 0, 1), diagonal=True)
    root = ElementTree.fromstring(drawn)
    assert len(root.findall(".//{*}polyline")) == 3
    assert "a<b" in {text.text for text in root.findall(".//{*}text")}
    right = max(
        float(x)
        for line in root.findall(".//{*}polyline")
        for x in re.findall(r"([\d.]+),", line.get("points"))
    )
    assert all(
        float(text.get("x")) > right for text in root.findall(".//{*}text") if text.text in ("a<b", "c")
    )
    alone = ElementTree.fromstring(lines({"a_b": [(0, 0)]}, Axis("x", 0, 1), Axis("y", 0, 1)))
    assert float(alone.get("width")) < float(root.get("width"))


@pytest.mark.parametrize(
    ("limit", "at_least", "colour"), [(0.4, True, "#2c7a4b"), (0.5, True, "#b3261e"), (0.7, False, "#2c7a4b")]
)
def test_bar_shows_on_which_side_the_interval_is(limit: float, at_least: bool, colour: str) -> None:
    drawn = interval_bar((0.5, 0.45, 0.6), limit, at_least)
    ElementTree.fromstring(drawn)
    assert colour in drawn
    dot = float(re.findall(r'cx="([\d.]+)"', drawn)[0])
    line = float(re.findall(r'<line x1="([\d.]+)"', drawn)[0])
    assert (dot < line) == (limit > 0.5)


def test_what_is_missing_is_not_drawn() -> None:
    assert interval_bar((math.nan, 0, 1), 0.5, at_least=True) == ""
