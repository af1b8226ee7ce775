"""Requests a second over a day."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from recsys.errors import BadData, BadUse

DAY_S: Final = 86_400
_NIGHT: Final = 0.2  # of the peak, at the quietest hour


@dataclass(frozen=True)
class Curve:
    """A piecewise linear request rate.

    Attributes:
        name: Where it comes from.
        seconds: float64 [n], rising; the first is 0.
        rps: float64 [n], requests a second at these times.
    """

    name: str
    seconds: np.ndarray
    rps: np.ndarray

    @property
    def length_s(self) -> float:
        """Seconds from its beginning to its end."""
        return float(self.seconds[-1])

    @property
    def peak_rps(self) -> float:
        """Its highest rate."""
        return float(self.rps.max())

    def rate(self, at_s: float) -> float:
        """Requests a second at a time."""
        return float(np.interp(at_s, self.seconds, self.rps))


def named_curve(name: str, peak_rps: float) -> Curve:
    """A day of one of the built-in shapes.

    Args:
        name: A key of `SHAPES`.
        peak_rps: Highest rate of its ordinary day; `sale` goes to three times as much.

    Raises:
        BadUse: There is no such shape.
    """
    if name not in SHAPES:
        raise BadUse(
            f"curve {name!r}", "is neither a file nor a built-in day", f"Use {', '.join(SHAPES)} or a CSV"
        )
    seconds = np.arange(0.0, DAY_S + 1, 60)
    return Curve(f"{name}, peak {peak_rps:g}/s", seconds, peak_rps * SHAPES[name](seconds))


def load_curve(path: Path) -> Curve:
    """A curve from CSV with the columns `time` (seconds, or HH:MM[:SS]) and `rps`.

    Raises:
        BadData: A column is missing, or a row is not a rising time and a rate of at least 0.
    """
    seconds, rps = [], []
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if not {"time", "rps"} <= set(reader.fieldnames or ()):
            raise BadData(str(path), "lacks a column time or rps", "Write a header line `time,rps`")
        for line, row in enumerate(reader, start=2):
            try:
                seconds.append(_seconds(row["time"]))
                rps.append(float(row["rps"]))
            except (ValueError, AttributeError):
                raise BadData(
                    f"{path}, line {line}", f"{row} is not a time and a rate", "Mend the line"
                ) from None
            if not 0 <= rps[-1] < float("inf") or (len(seconds) > 1 and seconds[-1] <= seconds[-2]):
                raise BadData(
                    f"{path}, line {line}", "times must rise, rates must be 0 or more", "Mend the line"
                )
    if len(seconds) < 2:
        raise BadData(str(path), "holds fewer than two rows", "Give at least a beginning and an end")
    at = np.asarray(seconds)
    return Curve(path.name, at - at[0], np.asarray(rps))


def _daily(seconds: np.ndarray) -> np.ndarray:
    """One wave: quietest at 04:00, busiest at 20:00 by a second harmonic that sharpens the evening."""
    hours = seconds / 3600
    wave = np.cos(2 * np.pi * (hours - 18) / 24) + 0.35 * np.cos(4 * np.pi * (hours - 21) / 24)
    return np.asarray(_NIGHT + (1 - _NIGHT) * (wave - wave.min()) / np.ptp(wave))


def _sale(seconds: np.ndarray) -> np.ndarray:
    """The day with a sale at 12:00: three times its peak within two minutes, fading over an hour."""
    since = seconds - 12 * 3600
    burst = np.clip(since / 120, 0, 1) * np.exp(-np.clip(since - 120, 0, None) / 1200) * (since >= 0)
    return np.maximum(_daily(seconds), 3 * burst)


def _flat(seconds: np.ndarray) -> np.ndarray:
    return np.ones_like(seconds)


SHAPES: Final[dict[str, Callable[[np.ndarray], np.ndarray]]] = {"daily": _daily, "sale": _sale, "flat": _flat}
"""Built-in days as shares of the peak, float64 [n] to float64 [n]."""


def _seconds(text: str) -> float:
    parts = [float(part) for part in text.split(":")]
    if len(parts) == 1:
        return parts[0]
    hours, minutes, seconds = [*parts, 0.0][:3]
    return hours * 3600 + minutes * 60 + seconds
