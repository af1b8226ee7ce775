"""Small plots as inline SVG: they need no script, no network and no library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH, _HEIGHT = 420, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 40
_LETTER: Final = 6.2
"""Width of a letter in a legend, at most about."""

COLOURS: Final = (
    "#1f77b4",
    "#d95f02",
    "#7f8fa6",
    "#b07aa1",
    "#2ca02c",
    "#8c564b",
    "#17a2b8",
    "#a3a300",
)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        title: Under or beside it.
        low: Its least value.
        high: Its greatest value.
        logarithmic: Whether equal ratios take equal space.
    """

    title: str
    low: float
    high: float
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low end and 1 at the high one."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        return min(max((self._scaled(value) - low) / (high - low or 1.0), 0.0), 1.0)

    def ticks(self) -> list[float]:
        """About five values to write beside it."""
        if self.logarithmic:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [10.0**power for power in powers]
        return [self.low + (self.high - self.low) * part / 4 for part in range(5)]

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.logarithmic else value


def lines(series: Mapping[str, Points], x: Axis, y: Axis, *, diagonal: bool = False) -> str:
    """Lines over common axes, with a legend beside them where it is more than one.

    Args:
        series: Points of each line, by its name.
        x: The horizontal axis.
        y: The vertical axis.
        diagonal: Whether to draw where both are equal.
    """
    parts = [*_grid(x, y)]
    if diagonal:
        parts.append(_path([(x.low, x.low), (x.high, x.high)], x, y, "#bbb", dash="4 4"))
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(_path(points, x, y, colour))
        parts += [_dot(point, x, y, colour) for point in points if len(points) <= 25]
        if len(series) > 1:
            said = name.replace("_", " ")
            parts.append(_text(_WIDTH, _TOP + 10 + 16 * number, said, anchor="start", colour=colour))
    width = _WIDTH + (math.ceil(_LETTER * max(map(len, series))) if len(series) > 1 else 0)
    return _svg(width, _HEIGHT, parts, f"{y.title} against {x.title}: {', '.join(series)}")


def interval_bar(interval: tuple[float, float, float], limit: float, at_least: bool) -> str:
    """A value with its interval beside the limit; what is allowed is shaded.

    Args:
        interval: Where the dot goes, where the bar begins and where it ends.
        limit: Where the line stands.
        at_least: Whether what lies right of the limit is allowed, or left of it.

    Returns:
        Empty where a number is missing.
    """
    if not all(math.isfinite(number) for number in (*interval, limit)):
        return ""
    value, low, high = interval
    passed = low >= limit if at_least else high <= limit
    pad = 0.15 * (max(high, limit) - min(low, limit)) or max(abs(limit) * 0.1, 1e-6)
    axis = Axis("", min(low, limit) - pad, max(high, limit) + pad)
    width, middle = 180, 11
    at, begin, end, dot = (4 + axis.share(number) * (width - 8) for number in (limit, low, high, value))
    allowed = (at, width - at) if at_least else (0, at)
    colour = "#2c7a4b" if passed else "#b3261e"
    return _svg(
        width,
        22,
        [
            f'<rect x="{allowed[0]:.1f}" y="2" width="{allowed[1]:.1f}" height="18" fill="#e8f3ec"/>',
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="1" y2="21" stroke="#333" stroke-dasharray="3 2"/>',
            f'<line x1="{begin:.1f}" x2="{end:.1f}" y1="{middle}" y2="{middle}" '
            f'stroke="{colour}" stroke-width="4"/>',
            f'<circle cx="{dot:.1f}" cy="{middle}" r="4.5" fill="{colour}"/>',
        ],
        f"{value:.4f}, from {low:.4f} to {high:.4f}, beside {limit:.4f}",
    )


def _grid(x: Axis, y: Axis) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [
        _text((_LEFT + right) / 2, _HEIGHT - 6, x.title),
        f'<g transform="rotate(-90 12 {(_TOP + bottom) / 2})">{_text(12, (_TOP + bottom) / 2, y.title)}</g>',
    ]
    for tick in x.ticks():
        at = _place((tick, y.low), x, y)[0]
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{bottom}" stroke="#eee"/>')
        parts.append(_text(at, bottom + 15, f"{tick:g}"))
    for tick in y.ticks():
        at = _place((x.low, tick), x, y)[1]
        parts.append(f'<line x1="{_LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" stroke="#eee"/>')
        parts.append(_text(_LEFT - 6, at + 4, f"{tick:.3g}", anchor="end"))
    return parts


def _place(point: tuple[float, float], x: Axis, y: Axis) -> tuple[float, float]:
    across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    return _LEFT + x.share(point[0]) * across, _TOP + (1 - y.share(point[1])) * down


def _path(points: Points, x: Axis, y: Axis, colour: str, dash: str = "") -> str:
    placed = " ".join(f"{across:.1f},{down:.1f}" for across, down in (_place(p, x, y) for p in points))
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{placed}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'


def _dot(point: tuple[float, float], x: Axis, y: Axis, colour: str) -> str:
    across, down = _place(point, x, y)
    return f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3" fill="{colour}"/>'


def _text(x: float, y: float, said: str, anchor: str = "middle", colour: str = "#444") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(said)}</text>'


def _svg(width: int, height: int, parts: Sequence[str], said: str) -> str:
    return (
        f'<svg role="img" aria-label="{escape(said)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
