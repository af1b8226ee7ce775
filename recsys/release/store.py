"""A folder of releases: content-addressed files, numbered releases, one pointer to the current one.

    <root>/objects/ab/abcd…   each file once, named by its sha256, read-only
    <root>/<n>/               release n: hard links to objects, and its manifest.json
    <root>/current            the number of the release that is served

A release appears by one rename of a finished folder, so a crash leaves all of it or nothing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys import schema
from recsys.errors import BadData, Unavailable
from recsys.release import files
from recsys.release.digest import file_sha256, files_under
from recsys.release.manifest import FileEntry, Manifest, read_manifest
from recsys.release.releases import Releases

_STAGING = ".staging-"
_TRASH = ".trash-"
_OBJECTS = "objects"
_CURRENT = "current"
_PATIENCE_S = 300.0
"""To wait for another process that publishes or prunes: seconds as a rule, minutes on a slow disk."""

_POLL_S = 0.1


class ReleaseStore(Releases):
    """The releases under one folder.

    Publishing and pruning take an exclusive lock, so several processes may share a store.
    Reading takes none: what is visible is whole.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def __str__(self) -> str:
        return str(self.root)

    def path(self, number: int) -> Path:
        """The folder of a release.

        Raises:
            BadUse: There is no such release.
        """
        folder = self.root / str(number)
        if number < 1 or not (folder / schema.MANIFEST_FILE).is_file():
            raise self._unknown(number)
        return folder

    def numbers(self) -> tuple[int, ...]:
        """The published release numbers, ascending."""
        if not self.root.is_dir():
            return ()
        named = (p for p in self.root.iterdir() if p.name.isascii() and p.name.isdigit())
        return tuple(sorted(int(p.name) for p in named if (p / schema.MANIFEST_FILE).is_file()))

    def show(self, number: int) -> Manifest:
        """The manifest of a release; see `Releases.show`."""
        return read_manifest(self.path(number))

    def verify(self, number: int) -> None:
        """Compares a release's files with its manifest; see `Releases.verify`. One too many is a fault."""
        folder = self.path(number)
        manifest = read_manifest(folder)
        fix = f"Do not serve release {number}; publish it again"
        for name, entry in manifest.files.items():
            path = folder / name
            if not path.is_file():
                raise BadData(str(path), "missing from the release", fix)
            if path.stat().st_size != entry.size:
                raise BadData(str(path), f"{path.stat().st_size} bytes, manifest says {entry.size}", fix)
            if file_sha256(path) != entry.sha256:
                raise BadData(str(path), "sha256 differs from the manifest's", fix)
        present = {p.relative_to(folder).as_posix() for p in files_under(folder)}
        if extra := sorted(present - set(manifest.files) - {schema.MANIFEST_FILE}):
            raise BadData(str(folder / extra[0]), "not in the manifest", fix)

    def _place(self, manifest: Manifest) -> int:
        """Builds the release folder beside its final place and renames it there."""
        staging = self.root / f"{_STAGING}{manifest.release}"
        staging.mkdir()
        for name, entry in manifest.files.items():
            files.link_or_copy(self._object(entry.sha256), staging / name)
        files.write_atomic(staging / schema.MANIFEST_FILE, manifest.to_json().encode())
        files.sync_tree(staging)
        staging.rename(self.root / str(manifest.release))
        files.sync_folder(self.root)
        return manifest.release

    def _remove(self, number: int) -> None:
        trash = self.root / f"{_TRASH}{number}"
        (self.root / str(number)).rename(trash)
        shutil.rmtree(trash)

    def _object(self, sha256: str) -> Path:
        return self.root / _OBJECTS / sha256[:2] / sha256

    def _store_object(self, source: Path) -> FileEntry:
        sha256 = file_sha256(source)
        target = self._object(sha256)
        if not target.exists() or file_sha256(target) != sha256:
            files.copy_atomic(source, target)
        return FileEntry(sha256=sha256, size=source.stat().st_size)

    def _keep_objects(self, named: set[str]) -> None:
        for path in files_under(self.root / _OBJECTS):
            if path.name not in named:
                path.unlink()

    def _read_pointer(self) -> str | None:
        try:
            return (self.root / _CURRENT).read_text().strip()
        except FileNotFoundError:
            return None

    def _write_pointer(self, text: str) -> None:
        files.write_atomic(self.root / _CURRENT, text.encode())

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Holds the store's lock; what a crashed publisher left behind is removed first.

        Raises:
            Unavailable: Another process kept it for `_PATIENCE_S`.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            _lock(descriptor, self.root)
            for leftover in (*self.root.glob(f"{_STAGING}*"), *self.root.glob(f"{_TRASH}*")):
                shutil.rmtree(leftover)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int, root: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                cause = f"another process has been at work in it for {_PATIENCE_S:g} s"
                raise Unavailable(str(root), cause, "Wait for it, or end it") from error
            time.sleep(_POLL_S)
        else:
            return
