from __future__ import annotations

import numpy as np
import pytest

from recsys.data.synthetic.drawing.pen import RESOLUTION, Look, Pen, _smooth, mirrored

LOOK = Look((200, 40, 40), (40, 40, 200), "plain", "clay")


def _pen(look: Look = LOOK) -> Pen:
    return Pen(look, np.random.default_rng(0))


def _alpha(pen: Pen) -> np.ndarray:
    return np.asarray(pen.layer.getchannel("A"))


def test_a_box_covers_its_share():
    pen = _pen()
    pen.box((25, 25, 75, 75), form="flat")
    side = np.sqrt((_alpha(pen) > 0).sum()) / RESOLUTION
    assert side == pytest.approx(0.5, abs=0.06)  # pens differ in scale by up to a tenth
    assert np.asarray(pen.layer)[RESOLUTION // 2, RESOLUTION // 2, :3].tolist() == [200, 40, 40]


def test_a_circle_covers_its_share():
    pen = _pen()
    pen.box((0, 0, 100, 100), form="flat")
    whole = (_alpha(pen) > 0).sum()
    pen = _pen()
    pen.oval((50, 50), 50, form="flat")
    assert (_alpha(pen) > 0).sum() / whole == pytest.approx(np.pi / 4, abs=0.01)


@pytest.mark.parametrize("form", ["sheet", "tube", "ball"])
def test_forms_are_darker_away_from_the_light(form):
    pen = _pen()
    pen.box((10, 10, 90, 90), form=form)
    middle = RESOLUTION // 2
    red = np.asarray(pen.layer)[:, :, 0].astype(int)
    lit, dark = red[RESOLUTION // 4, RESOLUTION // 3], red[-RESOLUTION // 6, -RESOLUTION // 6]
    assert dark < lit
    assert red[middle, middle] > 0


def test_a_pattern_shows_in_the_second_colour():
    pen = _pen(Look((200, 40, 40), (40, 40, 200), "stripes", "clay"))
    pen.box((10, 10, 90, 90), form="flat")
    column = np.asarray(pen.layer)[200:600, RESOLUTION // 2, :3]
    assert {(200, 40, 40), (40, 40, 200)} <= set(map(tuple, column.tolist()))


@pytest.mark.parametrize("points", [[(-50, -50), (-20, -50), (-20, -20)], [(120, 5), (160, 5), (140, 40)]])
def test_what_lies_outside_is_left_out(points):
    pen = _pen()
    pen.poly(points)
    assert not _alpha(pen).any()


def test_curves_go_through_their_points():
    points = [(10, 20), (40, 60), (80, 30)]
    for closed in (True, False):
        assert set(points) <= set(_smooth(points, closed))


def test_mirrored():
    assert mirrored([(50, 0), (70, 10)]) == [(50, 0), (70, 10), (30, 10), (50, 0)]
