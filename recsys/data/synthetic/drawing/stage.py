"""The stage: background, shadow and light around a drawn product."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from recsys.data.synthetic.drawing.texture import Colour

SIZE: Final = 256
"""Pixels a side of a finished image."""

BACKDROPS: Final[tuple[Colour, ...]] = (
    (244, 241, 236),
    (236, 240, 243),
    (246, 236, 230),
    (234, 241, 233),
    (242, 236, 244),
    (247, 242, 224),
)


def stage(layer: Image.Image, backdrop: int, stands: bool) -> Image.Image:
    """Puts a product on a backdrop.

    Args:
        layer: The product, RGBA, on nothing, its side a multiple of `SIZE`.
        backdrop: Place in `BACKDROPS`.
        stands: Whether it stands on the floor, rather than lies or hangs before a wall.

    Returns:
        RGB, `SIZE` by `SIZE`.
    """
    product = layer.reduce(layer.width // SIZE)
    alpha = product.getchannel("A")
    scene = _backdrop(backdrop, stands).copy()
    scene.paste((70, 62, 60), (0, 0), _shadow(alpha, stands))
    scene.paste(_lit(product, alpha), (0, 0), alpha)
    return scene


def _lit(product: Image.Image, alpha: Image.Image) -> Image.Image:
    """Raises the edge that faces the light and lowers the one that does not."""
    soft = alpha.filter(ImageFilter.GaussianBlur(4))
    rise = ImageChops.subtract(ImageChops.offset(soft, -3, -3), ImageChops.offset(soft, 3, 3), 3)
    fall = ImageChops.subtract(ImageChops.offset(soft, 3, 3), ImageChops.offset(soft, -3, -3), 2)
    rgb = product.convert("RGB")
    rgb = ImageChops.subtract(rgb, Image.merge("RGB", [rise] * 3))
    return ImageChops.add(rgb, Image.merge("RGB", [fall] * 3))


def _shadow(alpha: Image.Image, stands: bool) -> Image.Image:
    """How dark the shadow is at each pixel, 0 to 255."""
    drop = ImageChops.offset(alpha, 5, 7).filter(ImageFilter.GaussianBlur(7))
    drop = drop.point([round(level * 0.22) for level in range(256)])
    box = alpha.getbbox()
    if not stands or box is None:
        return drop
    left, _, right, bottom = box
    y, x = np.ogrid[0:SIZE, 0:SIZE]
    half = max(8.0, (right - left) / 2)
    distance = np.hypot(
        (x - (left + right) / 2 - 4) / (half * 1.12), (y - bottom + 3) / max(5.0, half * 0.17)
    )
    contact = np.clip(1.1 - distance, 0, 1) ** 1.3 * 110
    return ImageChops.add(drop, Image.fromarray(contact.astype(np.uint8)))


@lru_cache(maxsize=32)
def _backdrop(number: int, floor: bool) -> Image.Image:
    y, x = np.meshgrid(np.linspace(0, 1, SIZE), np.linspace(0, 1, SIZE), indexing="ij")
    light = 1.03 - 0.10 * np.hypot(x - 0.42, y - 0.36)
    if floor:
        light -= 0.035 / (1 + np.exp(-(y - 0.72) * 60))
    pixels = np.array(BACKDROPS[number], np.float64) * light[:, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
