"""Colours and patterns of products."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image

Colour = tuple[int, int, int]

WOOD: Final = (178, 130, 86)
DARK_WOOD: Final = (112, 74, 48)
STEEL: Final = (182, 188, 196)
DARK: Final = (44, 46, 52)
BRASS: Final = (206, 166, 92)
LEAF: Final = (74, 142, 84)
DEEP_LEAF: Final = (44, 104, 66)
PAPER: Final = (246, 242, 232)
WHITE: Final = (250, 250, 250)


def tint(colour: Colour, factor: float) -> Colour:
    """Darkens a colour (factor below 1) or mixes it with white (above 1, up to 2)."""
    if factor <= 1:
        red, green, blue = (round(c * factor) for c in colour)
    else:
        red, green, blue = (round(c + (255 - c) * (factor - 1)) for c in colour)
    return red, green, blue


@lru_cache(maxsize=8)
def pattern_mask(name: str, size: int) -> Image.Image | None:
    """Draws a square of a pattern.

    Args:
        name: "plain", "stripes", "check", "dots", "zigzag", "speckle", "split" or "band".
        size: Pixels a side.

    Returns:
        Where the second colour shows, 0 to 255 (mode L); None for plain.
    """
    if name == "plain":
        return None
    line = np.linspace(0, 100, size, dtype=np.float32)
    share = _pattern(name, *np.meshgrid(line, line))
    return Image.fromarray((share * 255).astype(np.uint8))


def _pattern(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Share of the accent colour at each point, 0 to 1."""
    if name == "stripes":
        share = y % 9 < 3.6
    elif name == "check":
        share = 0.5 * (x % 12 < 5) + 0.5 * (y % 12 < 5)
    elif name == "dots":
        row = np.floor(y / 8)
        share = np.hypot((x + 4 * (row % 2)) % 8 - 4, y % 8 - 4) < 2.1
    elif name == "zigzag":
        share = (y + np.abs(x % 10 - 5)) % 11 < 4
    elif name == "speckle":
        share = np.random.default_rng(0).random((100, 100)) < 0.06
        share = share[np.minimum(y.astype(int), 99), np.minimum(x.astype(int), 99)] * 0.7
    elif name == "split":
        share = y > 58
    else:  # a band
        share = (y > 46) & (y < 58)
    return np.asarray(share, dtype=np.float32)
