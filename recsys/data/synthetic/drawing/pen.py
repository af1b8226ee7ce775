"""A pen that draws filled, shaded shapes on a square of 100 by 100 units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from recsys.data.synthetic.drawing.texture import Colour, pattern_mask, tint

Points = Sequence[tuple[float, float]]

RESOLUTION: Final = 768
"""Pixels a side while drawing: three times what is kept, which smooths the edges."""


@dataclass(frozen=True)
class Look:
    """What tells a product from others of its kind: two colours, a pattern and what it is made of."""

    main: Colour
    accent: Colour
    pattern: str
    material: str


class Pen:
    """Draws one product.

    Shapes are given in units, x to the right and y down, 0 to 100. A shape without a colour is
    filled with the product's own colour and pattern. `form` says how light falls on a shape:
    "flat", "sheet" (a lit surface), "tube" (a standing cylinder) or "ball".

    Args:
        look: The product's colours, pattern and material.
        draw: Source of the small differences between products of a kind.
    """

    def __init__(self, look: Look, draw: np.random.Generator) -> None:
        self.main = look.main
        self.accent = look.accent
        self.material = look.material
        self.layer = Image.new("RGBA", (RESOLUTION, RESOLUTION))
        self._draw = draw
        self._pattern = pattern_mask(look.pattern, RESOLUTION)
        self._flip = bool(draw.random() < 0.5)
        self._scale = draw.uniform(0.9, 1.0)

    def vary(self, low: float, high: float) -> float:
        """Returns a number between the two, another one for each product."""
        return float(self._draw.uniform(low, high))

    def pick(self, count: int) -> int:
        """Returns a whole number from 0 to `count` - 1, another one for each product."""
        return int(self._draw.integers(count))

    def poly(self, points: Points, colour: Colour | None = None, form: str = "sheet") -> None:
        """Fills a polygon."""
        pixels = [self._pixel(x, y) for x, y in points]
        left, top = (max(0, math.floor(min(p[axis] for p in pixels))) for axis in (0, 1))
        right, bottom = (min(RESOLUTION, math.ceil(max(p[axis] for p in pixels)) + 1) for axis in (0, 1))
        if right <= left or bottom <= top:
            return
        box = (left, top, right, bottom)
        size = (right - left, bottom - top)
        mask = Image.new("L", size)
        local = [(x - left, y - top) for x, y in pixels]
        ImageDraw.Draw(mask).polygon(local, fill=255)
        fill = Image.new("RGB", size, colour or self.main)
        if colour is None and self._pattern is not None:
            fill.paste(self.accent, (0, 0), self._pattern.crop(box))
        if form != "flat":
            shade, gloss = _light(form)
            fill.paste((0, 0, 0), (0, 0), shade.resize(size, Image.Resampling.BILINEAR))
            fill.paste((255, 255, 255), (0, 0), gloss.resize(size, Image.Resampling.BILINEAR))
        self.layer.paste(fill, (left, top), mask)
        edge = tint(colour or self.main, 0.72)
        ImageDraw.Draw(self.layer).line([*pixels, pixels[0]], fill=edge, width=2, joint="curve")

    def blob(self, points: Points, colour: Colour | None = None, form: str = "sheet") -> None:
        """Fills a smooth closed curve through the points."""
        self.poly(_smooth(points, closed=True), colour, form)

    def oval(
        self,
        centre: tuple[float, float],
        radius: float | tuple[float, float],
        colour: Colour | None = None,
        form: str = "sheet",
    ) -> None:
        """Fills a circle, or an ellipse of two radii."""
        rx, ry = radius if isinstance(radius, tuple) else (radius, radius)
        angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        self.poly(
            [(centre[0] + rx * math.cos(a), centre[1] + ry * math.sin(a)) for a in angles], colour, form
        )

    def box(
        self,
        corners: tuple[float, float, float, float],
        colour: Colour | None = None,
        form: str = "sheet",
        round_by: float = 0,
    ) -> None:
        """Fills a rectangle (left, top, right, bottom), its corners rounded by a radius."""
        x0, y0, x1, y1 = corners
        r = min(round_by, (x1 - x0) / 2, (y1 - y0) / 2)
        if r <= 0:
            self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, form)
            return
        points = []
        quarters = ((x1 - r, y0 + r, -90), (x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180))
        for cx, cy, start in quarters:
            for degree in range(start, start + 91, 15):
                a = math.radians(degree)
                points.append((cx + r * math.cos(a), cy + r * math.sin(a)))
        self.poly(points, colour, form)

    def line(self, points: Points, colour: Colour, width: float, curved: bool = False) -> None:
        """Draws a line with round ends through the points."""
        path = [self._pixel(x, y) for x, y in (_smooth(points, closed=False) if curved else points)]
        ink = ImageDraw.Draw(self.layer)
        thick = max(1, round(width * self._unit()))
        ink.line(path, fill=colour, width=thick, joint="curve")
        for x, y in (path[0], path[-1]):
            ink.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=colour)

    def ring(self, centre: tuple[float, float], radius: float, colour: Colour, width: float) -> None:
        """Draws a circle's outline."""
        angles = np.linspace(0, 2 * np.pi, 49)
        points = [(centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in angles]
        self.line(points, colour, width)

    def _unit(self) -> float:
        return self._scale * RESOLUTION / 100

    def _pixel(self, x: float, y: float) -> tuple[float, float]:
        x = 100 - x if self._flip else x
        unit = self._unit()
        return RESOLUTION / 2 + (x - 50) * unit, RESOLUTION / 2 + (y - 50) * unit


def mirrored(points: Points) -> list[tuple[float, float]]:
    """Closes an outline given from top to bottom on the right of x = 50 with its mirror image."""
    return [*points, *((100 - x, y) for x, y in reversed(points))]


def _smooth(points: Points, closed: bool) -> list[tuple[float, float]]:
    """A Catmull-Rom spline through the points (Catmull & Rom, 1974), 8 steps from one to the next."""
    p = np.array(points, dtype=float)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    t = np.arange(8)[:, None] / 8
    out: list[tuple[float, float]] = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        square, cube = 2 * a - 5 * b + 4 * c - d, 3 * b - a - 3 * c + d
        curve = 0.5 * (2 * b + (c - a) * t + square * t**2 + cube * t**3)
        out.extend((x, y) for x, y in curve.tolist())
    if not closed:
        out.append((float(points[-1][0]), float(points[-1][1])))
    return out


@lru_cache(maxsize=8)
def _light(form: str) -> tuple[Image.Image, Image.Image]:
    """How much black and how much white lies on a form lit from the upper left, 0 to 255 (mode L)."""
    x, y = np.meshgrid(np.linspace(0, 1, 96), np.linspace(0, 1, 96))
    if form == "tube":
        shade = 0.38 * (1 - np.sin(np.pi * (0.12 + 0.86 * (1 - np.abs(x - 0.36) / 0.66)) / 2))
        gloss = 0.30 * np.exp(-(((x - 0.24) / 0.07) ** 2))
    elif form == "ball":
        shade = 0.55 * np.clip(np.hypot(x - 0.36, y - 0.32) / 0.85, 0, 1) ** 1.6
        gloss = 0.45 * np.exp(-((np.hypot(x - 0.31, y - 0.25) / 0.13) ** 2))
    else:
        shade = 0.20 * (0.35 * x + 0.65 * y)
        gloss = 0.10 * np.exp(-(((x + y - 0.45) / 0.35) ** 2))
    return _grey(shade), _grey(gloss)


def _grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(values * 255, 0, 255).astype(np.uint8))
