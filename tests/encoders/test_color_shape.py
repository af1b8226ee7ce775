from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from recsys.encoders.color_shape import ColorShapeEncoder

Shape = Callable[[int, int], Image.Image]


def test_same_shape_and_colour_are_nearest(shape: Shape) -> None:
    images = [shape(topic, size) for topic in range(3) for size in (40, 48, 56)]
    vectors = ColorShapeEncoder().encode(images)
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    assert (scores.argmax(axis=1) // 3).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_shape_counts_where_colour_is_equal() -> None:
    def draw(kind: str, shift: int) -> Image.Image:
        image = Image.new("RGB", (100, 100), "white")
        getattr(ImageDraw.Draw(image), kind)((20 + shift, 20, 80 + shift, 80), fill="navy")
        return image

    vectors = ColorShapeEncoder().encode([draw("rectangle", 0), draw("rectangle", 4), draw("ellipse", 0)])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_a_batch_equals_single_images(shape: Shape) -> None:
    images = [shape(topic, 50) for topic in (0, 1, 2)]
    encoder = ColorShapeEncoder()
    together = encoder.encode(images)
    alone = np.concatenate([encoder.encode([image]) for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert together.shape == (3, encoder.encode([]).shape[1])


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
@pytest.mark.parametrize("size", [(1, 1), (3, 400), (200, 100)])
def test_any_mode_and_size_is_finite(mode: str, size: tuple[int, int]) -> None:
    vectors = ColorShapeEncoder().encode([Image.new(mode, size)])
    assert np.isfinite(vectors).all()
    assert vectors.any()
