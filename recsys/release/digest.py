"""Content hashes of files, folders, values and of the code that trains."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import recsys

_BLOCK = 1 << 20
_BESIDE = {"bench", "capacity", "cli", "kubeflow", "local", "online", "tune"}
"""Parts of the package that no release depends on. Serving is not among them: the evaluation runs it."""


def file_sha256(path: Path) -> str:
    """The hex sha256 of a file's bytes, read in blocks of 1 MiB.

    Raises:
        OSError: The file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def tree_sha256(path: Path) -> str:
    """The hex sha256 of a file, or of a folder's relative names and contents.

    Times, owners and the folder's own name do not count, so a copy has the same digest.

    Raises:
        OSError: A file cannot be read, or there is nothing at `path`.
    """
    if path.is_dir():
        return _digest_of((p.relative_to(path).as_posix(), p) for p in files_under(path))
    return file_sha256(path)


def files_under(path: Path) -> tuple[Path, ...]:
    """Every file below a folder, sorted by relative name; bytecode caches are left out."""
    found = (p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return tuple(sorted(found, key=lambda p: p.relative_to(path).as_posix()))


def json_sha256(value: Any) -> str:
    """The hex sha256 of a JSON value; the order of keys does not count.

    Raises:
        TypeError: The value is not JSON.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_sha256() -> str:
    """The hex sha256 of the source files that decide what a training run puts out.

    A part of the package that is not named in `_BESIDE` counts, so a new one can cause a training too
    many, never a wrong reuse.
    """
    package = Path(recsys.__file__).parent
    named = ((p.relative_to(package), p) for p in files_under(package) if p.suffix == ".py")
    return _digest_of((name.as_posix(), path) for name, path in named if name.parts[0] not in _BESIDE)


def _digest_of(named: Iterable[tuple[str, Path]]) -> str:
    """One digest over (name, content) pairs; lengths are fixed, so no two lists read the same."""
    digest = hashlib.sha256()
    for name, path in named:
        digest.update(hashlib.sha256(name.encode()).digest())
        digest.update(bytes.fromhex(file_sha256(path)))
    return digest.hexdigest()
