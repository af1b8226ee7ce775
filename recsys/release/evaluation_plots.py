"""Plots of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from recsys.release.svg import Axis, Points, lines

_CUTOFFS: Final = (10, 100, 300)
_MOST_SERIES: Final = 8
_STEPS: Final = tuple(
    base * power for power in (0.001, 0.01, 0.1, 1.0, 10.0) for base in (1, 1.5, 2, 2.5, 3, 5)
)


def hit_plot(recommenders: Mapping[str, Mapping[str, Any]]) -> str:
    """Share of clicks within the first k, over k."""
    series = {
        name: [(float(k), float(found[f"hit@{k}"])) for k in _CUTOFFS]
        for name, found in list(recommenders.items())[:_MOST_SERIES]
        if all(f"hit@{k}" in found for k in _CUTOFFS)
    }
    if not series:
        return ""
    return lines(series, Axis("first k (logarithmic)", 10, 300, logarithmic=True), Axis("hit@k", 0, 1))


def trade_off_plot(series: Mapping[str, Points], across: str) -> str:
    """NDCG@10 over something that it is traded for."""
    found = {name: points for name, points in list(series.items())[:_MOST_SERIES] if points}
    if not found:
        return ""
    x, y = ([point[at] for points in found.values() for point in points] for at in (0, 1))
    return lines(found, _axis(across, x), _axis("NDCG@10", y))


def calibration_plot(bins: Sequence[Mapping[str, Any]]) -> str:
    """Share clicked over the probability that was stated."""
    points = [(float(one["predicted"]), float(one["observed"])) for one in bins]
    axes = Axis("stated probability", 0, 1), Axis("share clicked", 0, 1)
    return lines({"ranker": points}, *axes, diagonal=True)


def span(
    value: float,
    ends: Sequence[float],
    limits: tuple[float, float],
    *,
    zero: bool = False,
    others: Sequence[float] = (),
) -> str:
    """A value with its interval on a line of its own.

    Args:
        value: Where the dot goes.
        ends: Where the bar begins and ends.
        limits: Ends of the line.
        zero: Whether to mark 0.
        others: Values that are marked in grey.
    """
    if not all(math.isfinite(number) for number in (value, *ends)):
        return ""
    axis = Axis("", *limits)
    width = 180
    at, begin, end = (4 + axis.share(number) * (width - 8) for number in (value, *ends))
    parts = [f'<line x1="4" x2="{width - 4}" y1="9" y2="9" stroke="#e3e3e3"/>']
    marks = [(mark, "#7f8fa6") for mark in others] + ([(0.0, "#333")] if zero else [])
    for mark, colour in marks:
        place = 4 + axis.share(mark) * (width - 8)
        parts.append(f'<line x1="{place:.1f}" x2="{place:.1f}" y1="3" y2="15" stroke="{colour}"/>')
    parts += [
        f'<line x1="{begin:.1f}" x2="{end:.1f}" y1="9" y2="9" stroke="#1f77b4" stroke-width="4"/>',
        f'<circle cx="{at:.1f}" cy="9" r="4" fill="#1f77b4"/>',
    ]
    said = f"{value:.3f}, from {ends[0]:.3f} to {ends[1]:.3f}"
    return (
        f'<svg role="img" aria-label="{said}" width="{width}" height="18" viewBox="0 0 {width} 18" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _axis(title: str, values: Sequence[float]) -> Axis:
    """An axis around some values whose quarters are round numbers; one of shares does not go beyond 1."""
    low, high = min(values), max(values)
    for step in _STEPS:
        first = step * math.floor(low / step)
        if first + 4 * step >= high:
            if high <= 1 < first + 4 * step:
                first = 1 - 4 * step
            return Axis(title, first, first + 4 * step)
    return Axis(title, low, high)
