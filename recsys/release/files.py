"""Writing files so that a crash leaves the old content or the new, never a part."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from recsys.release.digest import files_under

_READ_ONLY = 0o444
_PARTIAL = ".partial"


def write_atomic(path: Path, content: bytes) -> None:
    """Replaces a file's content in one step, durable when this returns."""
    partial = path.with_name(path.name + _PARTIAL)
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def copy_atomic(source: Path, target: Path) -> None:
    """Copies a file to a read-only `target` that appears whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + _PARTIAL)
    partial.unlink(missing_ok=True)
    shutil.copyfile(source, partial)
    sync_file(partial)
    partial.chmod(_READ_ONLY)
    partial.replace(target)
    sync_folder(target.parent)


def link_or_copy(source: Path, target: Path) -> None:
    """Hard-links a file, or copies it where the file system knows no links to it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
        target.chmod(_READ_ONLY)


def sync_file(path: Path) -> None:
    """Forces a file's content to the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(path: Path) -> None:
    """Forces a folder's names to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Forces every file and folder below `path`, and `path` itself, to the disk."""
    for file in files_under(path):
        sync_file(file)
    for folder in sorted((p for p in path.rglob("*") if p.is_dir()), reverse=True):
        sync_folder(folder)
    sync_folder(path)
