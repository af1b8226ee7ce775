from __future__ import annotations

import numpy as np
import pytest

from recsys.data.synthetic.catalogue import make_catalogue
from recsys.data.synthetic.images import _HANGING, SKETCHES, draw_product
from recsys.data.synthetic.kinds import KINDS


@pytest.fixture(scope="module")
def drawn():
    catalogue = make_catalogue(2 * len(KINDS), 4)
    return catalogue, np.stack(
        [np.asarray(draw_product(catalogue, i), np.float32) for i in range(len(catalogue))]
    )


def test_each_kind_has_a_sketch():
    assert set(SKETCHES) == {kind.name for kind in KINDS}
    assert set(SKETCHES) >= _HANGING


def test_the_product_fills_the_middle_and_the_corners_are_backdrop(drawn):
    catalogue, pixels = drawn
    corners = pixels[:, [2, 2, -3, -3], [2, -3, 2, -3]].mean(axis=(1, 2))
    assert (corners > 200).all()
    for i, image in enumerate(pixels):
        backdrop = np.median(image[:4].reshape(-1, 3), axis=0)
        covered = (np.abs(image - backdrop).max(axis=2) > 30).mean()
        assert 0.03 < covered < 0.9, KINDS[catalogue.kind[i]].name


def test_products_of_a_kind_look_more_alike_than_others(drawn):
    catalogue, pixels = drawn
    grey = pixels.mean(axis=3)[:, ::8, ::8].reshape(len(pixels), -1)
    ink = (grey < 0.8 * np.median(grey, axis=1, keepdims=True)).astype(np.float32)
    distance = np.abs(ink[:, None] - ink[None]).mean(axis=2)
    same = catalogue.kind[:, None] == catalogue.kind
    np.fill_diagonal(same, False)
    other = ~same
    np.fill_diagonal(other, False)
    assert distance[same].mean() < 0.8 * distance[other].mean()


def test_the_same_product_always_looks_the_same_and_no_two_are_equal(drawn):
    catalogue, pixels = drawn
    assert (np.asarray(draw_product(catalogue, 5)) == pixels[5]).all()
    assert len({image.tobytes() for image in pixels}) == len(pixels)


def test_colour_shows():
    catalogue = make_catalogue(700, 4)
    mugs = [i for i in range(700) if KINDS[catalogue.kind[i]].name == "mug"]
    tones = {
        catalogue.colour[i]: np.asarray(draw_product(catalogue, i), np.float32)[100:200, 60:160].mean((0, 1))
        for i in mugs
    }
    means = np.stack(list(tones.values()))
    assert len(tones) >= 5
    assert means.std(axis=0).max() > 20
