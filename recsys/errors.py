"""Errors a user can act on: each names the thing, the cause and the fix in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class RecsysError(Exception):
    """A failure that the user can understand and repair.

    Args:
        thing: What failed: a file, a column, a service, an option.
        cause: Why, in a few words.
        fix: What to do about it.
    """

    exit_code = 1

    def __init__(self, thing: str, cause: str, fix: str) -> None:
        self.thing = thing
        self.cause = cause
        self.fix = fix
        super().__init__(f"{thing}: {cause}. {fix}")

    def __reduce__(self) -> tuple[type[RecsysError], tuple[str, str, str]]:
        """So that it crosses from process to process whole."""
        return type(self), (self.thing, self.cause, self.fix)


class BadUse(RecsysError):
    """The caller asked for something that cannot be: a wrong option, shape or value."""

    exit_code = 2


class BadData(RecsysError):
    """A data file that cannot be used as it is."""


class Unavailable(RecsysError):
    """A service that did not answer in time or refused the connection."""


@contextmanager
def told_in_a_line() -> Iterator[None]:
    """Ends a program whose failure is one of these: the line on stderr, and the error's exit code.

    Raises:
        SystemExit: A `RecsysError` was raised within.
    """
    try:
        yield
    except RecsysError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
