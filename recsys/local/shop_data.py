"""The clean copy of the data that was trained on last: `<home>/data`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recsys.errors import RecsysError
from recsys.release.digest import tree_sha256

_STAMP = "data.sha256"


def import_data(source: Path, home: Path, progress: Callable[[str, float], None] | None = None) -> Path:
    """Validate a data set into the home; nothing happens when this very content is there already.

    Args:
        source: Folder of a data set.
        home: The state folder of the system.
        progress: Told what is being read and the share that is done, 0 to 1.

    Returns:
        Folder of the clean copy.

    Raises:
        BadData: The data set cannot be used.
    """
    from recsys.data.validate import validate

    copy, stamp = home / "data", home / _STAMP
    if copy.is_dir() and source.resolve() == copy.resolve():
        return copy
    content = tree_sha256(source) if source.is_dir() else ""
    if not (copy.is_dir() and stamp.is_file() and stamp.read_text() == content):
        stamp.unlink(missing_ok=True)
        validate(source, copy, progress)
        stamp.write_text(content)
    return copy


def imported(home: Path) -> Path:
    """Folder of the clean copy.

    Raises:
        RecsysError: Nothing was imported yet.
    """
    copy = home / "data"
    if not copy.is_dir():
        raise RecsysError(str(copy), "no data yet", "Run `recsys pipeline run full --data DIR` first")
    return copy
