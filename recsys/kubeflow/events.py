"""What a running pipeline tells its user, and how a step's process says it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_MARK = "progress"


@dataclass(frozen=True)
class StepEvent:
    """Something that happened to a step.

    Attributes:
        step: The step's name, words separated by spaces; empty for the pipeline as a whole.
        state: `started`, then any number of `progress`, then `done`, `reused` or `failed`; `note` for
            what concerns no single step.
        index: Which step this is, from 1; 0 for the pipeline as a whole.
        total: How many steps the pipeline has.
        seconds: Since the step started.
        message: What it is doing, what came out, or why it failed.
        share: How much of the step is done, 0 to 1; None where it cannot tell.
        peak_mib: Most memory the step's processes held, in MiB; known once it is done.
    """

    step: str
    state: Literal["started", "progress", "done", "reused", "failed", "note"]
    index: int = 0
    total: int = 0
    seconds: float = 0.0
    message: str = ""
    share: float | None = None
    peak_mib: int | None = None

    def __str__(self) -> str:
        if self.state == "note":
            return self.message
        where = f"[{self.index}/{self.total}] {self.step}"
        if self.state == "progress":
            share = "" if self.share is None else f" {self.share:.0%}"
            return f"{where}{share} {self.message}".rstrip()
        if self.state == "started":
            return f"{where} …"
        if self.state == "reused":
            return f"{where}: unchanged, reused"
        if self.state == "failed":
            return f"{where}: failed after {self.seconds:.0f} s: {self.message}"
        memory = "" if self.peak_mib is None else f", {self.peak_mib} MiB"
        return f"{where}: done in {self.seconds:.1f} s{memory}"


Progress = Callable[[StepEvent], None]
"""Told of every event; `print` will do."""


def report(message: str, share: float | None = None) -> None:
    """Says from inside a step how far it is; the pipeline's runner shows it to the user.

    Args:
        message: A few words, one line.
        share: How much of the step is done, 0 to 1.
    """
    number = "-" if share is None else f"{min(max(share, 0.0), 1.0):.3f}"
    print(f"{_MARK} {number} {' '.join(message.split())}", flush=True)


def parse_report(line: str) -> tuple[str, float | None] | None:
    """What `report` was given, from a line of a step's output; None for any other line."""
    mark, _, rest = line.rstrip("\n").partition(" ")
    number, _, message = rest.partition(" ")
    if mark != _MARK or not number:
        return None
    try:
        return message, None if number == "-" else float(number)
    except ValueError:
        return None
