"""What every store of releases does the same way, wherever it keeps its files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

from recsys import schema
from recsys.errors import BadData, BadUse
from recsys.release.digest import files_under
from recsys.release.manifest import (
    DataWindow,
    FileEntry,
    Manifest,
    Verdict,
    feature_schema,
    library_versions,
    now,
)
from recsys.release.retention import staying


class Releases(ABC):
    """Numbered releases of content-addressed files, and a pointer to the current one."""

    @abstractmethod
    def numbers(self) -> tuple[int, ...]:
        """The published release numbers, ascending."""

    @abstractmethod
    def show(self, number: int) -> Manifest:
        """The manifest of a release.

        Raises:
            BadUse: There is no such release.
            BadData: Its manifest cannot be read.
        """

    @abstractmethod
    def verify(self, number: int) -> None:
        """Reads every file of a release and compares it with the manifest.

        Raises:
            BadUse: There is no such release.
            BadData: A file is missing or has another content; names it.
        """

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
        text = self._read_pointer()
        if text is None:
            return None
        if not text.isdigit() or int(text) not in self.numbers():
            raise BadData(
                f"the pointer to the current release in {self}",
                f"names release {text!r}, which is not there",
                "Promote one that is",
            )
        return int(text)

    def set_current(self, number: int) -> None:
        """Points `current` at a release, atomically.

        Raises:
            BadUse: There is no such release, or its gate refused it.
        """
        verdict = self.show(number).gate
        if not verdict.passed:
            raise BadUse(f"release {number}", f"refused by its gate: {verdict.reason}", "Promote another")
        self._write_pointer(f"{number}\n")

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
            BadUse: The folder is empty or a release itself, or `parent` is not in the store.
            OSError: The store cannot be written; no release appears.
        """
        sources = files_under(staging_dir)
        if not sources:
            raise BadUse(str(staging_dir), "holds no files", "Assemble the release first")
        if staging_dir / schema.MANIFEST_FILE in sources:  # the store's own would take its place
            raise BadUse(str(staging_dir), "is a release already", "Publish a copy without its manifest.json")
        if parent is not None:
            self.show(parent)
        with self._exclusive():
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

    def prune(self, keep: int = 5, protected: Iterable[int] = ()) -> tuple[int, ...]:
        """Removes the oldest releases beyond `keep`, and the files that only they held.

        What `recsys.release.retention.staying` names always stays.

        Args:
            keep: How many of the newest stay.
            protected: Others that stay, such as those that a replica has loaded.

        Returns:
            The numbers removed, ascending.

        Raises:
            BadUse: `keep` is below 1.
        """
        if keep < 1:
            raise BadUse("--keep", f"{keep} is below 1", "Keep at least one release")
        with self._exclusive():
            stay = staying(self.list(), self.current(), keep, protected)
            removed = tuple(n for n in self.numbers() if n not in stay)
            for number in removed:
                self._remove(number)
            named = {entry.sha256 for n in self.numbers() for entry in self.show(n).files.values()}
            self._keep_objects(named)
        return removed

    def _unknown(self, number: int) -> BadUse:
        known = ", ".join(map(str, self.numbers())) or "none"
        return BadUse(f"release {number}", f"not in {self} (there: {known})", "Name one that is")

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
        # Not the whole report: measured times differ from run to run.
        same = (known.digest, known.gate.passed) == (manifest.digest, manifest.gate.passed)
        return number if same else None

    @abstractmethod
    def _exclusive(self) -> AbstractContextManager[None]:
        """Held while the store changes."""

    @abstractmethod
    def _store_object(self, source: Path) -> FileEntry:
        """Copies a file among the objects unless its content is there already, undamaged."""

    @abstractmethod
    def _place(self, manifest: Manifest) -> int:
        """Makes a release of stored objects visible in one step; its number."""

    @abstractmethod
    def _remove(self, number: int) -> None:
        """Makes a release invisible in one step."""

    @abstractmethod
    def _keep_objects(self, named: set[str]) -> None:
        """Removes all objects but these."""

    @abstractmethod
    def _read_pointer(self) -> str | None:
        """What the pointer says, None if there is none."""

    @abstractmethod
    def _write_pointer(self, text: str) -> None:
        """Replaces the pointer in one step."""
