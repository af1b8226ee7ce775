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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from recsys import schema
from recsys.errors import BadData, BadUse
from recsys.release import files
from recsys.release.digest import file_sha256, files_under
from recsys.release.manifest import (
    DataWindow,
    FileEntry,
    Manifest,
    Verdict,
    feature_schema,
    library_versions,
    now,
    read_manifest,
)

_STAGING = ".staging-"
_TRASH = ".trash-"
_OBJECTS = "objects"
_CURRENT = "current"


class ReleaseStore:
    """The releases under one folder.

    Publishing and pruning take an exclusive lock, so several processes may share a store.
    Reading takes none: what is visible is whole.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def path(self, number: int) -> Path:
        """The folder of a release.

        Raises:
            BadUse: There is no such release.
        """
        folder = self.root / str(number)
        if number < 1 or not (folder / schema.MANIFEST_FILE).is_file():
            known = ", ".join(map(str, self.numbers())) or "none"
            raise BadUse(f"release {number}", f"not in {self.root} (there: {known})", "Name one that is")
        return folder

    def numbers(self) -> tuple[int, ...]:
        """The published release numbers, ascending."""
        if not self.root.is_dir():
            return ()
        named = (p for p in self.root.iterdir() if p.name.isascii() and p.name.isdigit())
        return tuple(sorted(int(p.name) for p in named if (p / schema.MANIFEST_FILE).is_file()))

    def show(self, number: int) -> Manifest:
        """The manifest of a release.

        Raises:
            BadUse: There is no such release.
            BadData: Its manifest cannot be read.
        """
        return read_manifest(self.path(number))

    def list(self) -> tuple[Manifest, ...]:
        """The manifests of all releases, oldest first."""
        return tuple(self.show(number) for number in self.numbers())

    def find(self, fingerprint: str) -> int | None:
        """The newest release made from these inputs, None if there is none."""
        matches = (n for n in reversed(self.numbers()) if self.show(n).fingerprint == fingerprint)
        return next(matches, None) if fingerprint else None

    def current(self) -> int | None:
        """The number of the release to serve, None before the first.

        Raises:
            BadData: The pointer names a release that is not there.
        """
        pointer = self.root / _CURRENT
        try:
            text = pointer.read_text().strip()
        except FileNotFoundError:
            return None
        if not text.isdigit() or int(text) not in self.numbers():
            raise BadData(str(pointer), f"names release {text!r}, which is not there", "Promote one that is")
        return int(text)

    def set_current(self, number: int) -> None:
        """Points `current` at a release, atomically.

        Raises:
            BadUse: There is no such release, or its gate refused it.
        """
        verdict = self.show(number).gate
        if not verdict.passed:
            raise BadUse(f"release {number}", f"refused by its gate: {verdict.reason}", "Promote another")
        files.write_atomic(self.root / _CURRENT, f"{number}\n".encode())

    def verify(self, number: int) -> None:
        """Reads every file of a release and compares it with the manifest.

        Raises:
            BadUse: There is no such release.
            BadData: A file is missing, has another content, or is not in the manifest; names it.
        """
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

    def publish(
        self,
        staging_dir: Path,
        *,
        data: DataWindow,
        metrics: Mapping[str, Any],
        kind: Literal["full", "daily", "items"] = "full",
        gate: Verdict | None = None,
        parent: int | None = None,
        fingerprint: str = "",
        settings_fingerprint: str = "",
    ) -> int:
        """Copies a folder of artefacts into the store as the next release.

        Files whose content the store holds already are shared. Publishing the same artefacts for
        the same fingerprint again gives the same number. A refused release is kept all the same,
        marked by its verdict.

        Returns:
            The release number.

        Raises:
            BadUse: The folder is empty, or `parent` is not in the store.
            OSError: The store cannot be written; no release appears.
        """
        sources = files_under(staging_dir)
        if not sources:
            raise BadUse(str(staging_dir), "holds no files", "Assemble the release first")
        if parent is not None:
            self.path(parent)
        self.root.mkdir(parents=True, exist_ok=True)
        with self._locked():
            stored = {p.relative_to(staging_dir).as_posix(): self._store_object(p) for p in sources}
            manifest = Manifest(
                release=max(self.numbers(), default=0) + 1,
                kind=kind,
                created=now(),
                parent=parent,
                fingerprint=fingerprint,
                settings_fingerprint=settings_fingerprint,
                data=data,
                feature_schema=feature_schema(),
                metrics=dict(metrics),
                gate=gate or Verdict(passed=True),
                versions=library_versions(),
                files=stored,
            )
            return self._same_as(manifest) or self._place(manifest)

    def prune(self, keep: int = 5) -> tuple[int, ...]:
        """Removes the oldest releases beyond `keep`, and the files that only they held.

        The newest release, the current one and the current one's parent always stay.

        Returns:
            The numbers removed, ascending.

        Raises:
            BadUse: `keep` is below 1.
        """
        if keep < 1:
            raise BadUse("--keep", f"{keep} is below 1", "Keep at least one release")
        with self._locked():
            numbers = self.numbers()
            current = self.current()
            stay = {*numbers[-keep:], current, self.show(current).parent if current else None}
            removed = tuple(n for n in numbers if n not in stay)
            for number in removed:
                trash = self.root / f"{_TRASH}{number}"
                (self.root / str(number)).rename(trash)
                shutil.rmtree(trash)
            self._drop_orphans()
        return removed

    def _same_as(self, manifest: Manifest) -> int | None:
        """The release that already holds these artefacts, undamaged, for these inputs and verdict."""
        number = self.find(manifest.fingerprint)
        if number is None:
            return None
        try:
            self.verify(number)
        except BadData:
            return None
        known = self.show(number)
        return number if (known.digest, known.gate) == (manifest.digest, manifest.gate) else None

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

    def _object(self, sha256: str) -> Path:
        return self.root / _OBJECTS / sha256[:2] / sha256

    def _store_object(self, source: Path) -> FileEntry:
        """Copies a file among the objects unless its content is there already, undamaged."""
        sha256 = file_sha256(source)
        target = self._object(sha256)
        if not target.exists() or file_sha256(target) != sha256:
            files.copy_atomic(source, target)
        return FileEntry(sha256=sha256, size=source.stat().st_size)

    def _drop_orphans(self) -> None:
        """Removes objects that no release names."""
        named = {entry.sha256 for n in self.numbers() for entry in self.show(n).files.values()}
        for path in files_under(self.root / _OBJECTS):
            if path.name not in named:
                path.unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the store's lock; what a crashed publisher left behind is removed first."""
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for leftover in (*self.root.glob(f"{_STAGING}*"), *self.root.glob(f"{_TRASH}*")):
                shutil.rmtree(leftover)
            yield
        finally:
            os.close(descriptor)
