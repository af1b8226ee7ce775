"""Folders that appear whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.errors import BadUse, RecsysError


@contextmanager
def staged(out_dir: Path, replaces: str | None = None) -> Iterator[Path]:
    """Gives a folder beside `out_dir` that takes its place when all went well.

    What an interrupted run left behind is cleared away by the next.

    Args:
        out_dir: The folder to make; it may be there, empty.
        replaces: Name of a file; an `out_dir` that holds it is an earlier result and is replaced.

    Yields:
        The folder to write in.

    Raises:
        BadUse: `out_dir` holds something else.
        RecsysError: It cannot be written.
    """
    try:
        out_dir = out_dir.resolve()
        _check_free(out_dir, replaces)
        staging = out_dir.with_name(f".{out_dir.name}.partial")
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(parents=True)
            yield staging
            if out_dir.exists():
                shutil.rmtree(out_dir)
            staging.rename(out_dir)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        thing, cause = str(error.filename or out_dir), (error.strerror or str(error)).lower()
        raise RecsysError(thing, cause, "Free the disk or give another folder.") from error


def _check_free(out_dir: Path, replaces: str | None) -> None:
    if not out_dir.exists():
        return
    earlier = replaces is not None and (out_dir / replaces).is_file()
    if not earlier and not (out_dir.is_dir() and not any(out_dir.iterdir())):
        raise BadUse(str(out_dir), "it holds something else", "Give a new or empty folder.")
