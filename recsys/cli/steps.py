"""Progress of long work: what is done, what is being done, and for how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from recsys.cli.output import messages


class Note(Protocol):
    """Told how far a step is."""

    def __call__(self, text: str, share: float | None = None, /) -> None:
        """Show what is being done, and the share that is done, 0 to 1, where that is known."""


_NOTE_EVERY_S = 10.0


class Steps:
    """Steps of one command, one line each when done.

    In a terminal the current step has a spinner; elsewhere (a log) its notes are lines, at
    most one every ten seconds.

    Args:
        console: Where to print.
    """

    def __init__(self, console: Console = messages) -> None:
        self.console = console
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the first step."""
        return time.monotonic() - self._begun

    @contextmanager
    def step(self, title: str) -> Iterator[Note]:
        """Show a step while the block runs, and its time when it is done.

        Args:
            title: What is being done.

        Yields:
            A function that is told how far it is.
        """
        begun = time.monotonic()
        with self._line(title) as note:
            try:
                yield note
            except BaseException:
                self.console.print(f"[red]✗[/] {title}  [dim]after {time.monotonic() - begun:.1f} s[/]")
                raise
        self.done(title, time.monotonic() - begun)

    def done(self, title: str, seconds: float, detail: str = "") -> None:
        """Print a finished step.

        Args:
            title: What was done.
            seconds: How long it took.
            detail: What came out, in a few words.
        """
        tail = f"  [dim]{detail}[/]" if detail else ""
        self.console.print(f"[green]✓[/] {title:<44} [dim]{seconds:7.1f} s[/]{tail}", soft_wrap=True)

    @contextmanager
    def _line(self, title: str) -> Iterator[Note]:
        if self.console.is_terminal:
            with self.console.status(title) as status:
                yield _Spinner(status, title)
        else:
            self.console.print(f"… {title}", soft_wrap=True)
            yield _Lines(self.console)


class _Spinner:
    def __init__(self, status: Status, title: str) -> None:
        self._status = status
        self._title = title

    def __call__(self, text: str, share: float | None = None, /) -> None:
        self._status.update(f"{self._title}  [dim]{_told(text, share)}[/]")


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0

    def __call__(self, text: str, share: float | None = None, /) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _NOTE_EVERY_S
            self._console.print(f"  {_told(text, share)}", soft_wrap=True, style="dim")


def _told(text: str, share: float | None) -> str:
    return escape(text) if share is None else f"{escape(text)} {share:.0%}"
