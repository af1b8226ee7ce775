"""Wall-clock time in the units of the project."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Milliseconds since 1970."""


def wall_ms() -> int:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
