"""How a search, or several trainings, tell what they are doing."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float | None], None]
"""Told what is being done, and which share of it is; None: not known."""


def silent(text: str, share: float | None) -> None:
    """Tells nobody."""


def named(progress: Progress, name: str, share: float) -> Callable[[str], None]:
    """Tells what one of several trainings is doing.

    Args:
        progress: Told the training's name with it.
        name: Of the training.
        share: Of all that is done when it begins.
    """
    return lambda text: progress(f"{name}: {text}", share)
