"""Releases in an object store, such as `s3://bucket/releases`.

    <url>/objects/ab/abcd…      each file once, named by its sha256
    <url>/<n>/manifest.json     written last: with it the release exists
    <url>/current               the number of the release that is served

Writing one object is the only step that such a store makes atomic, so a release appears by that of its
manifest. `recsys.release.fetch` brings one to a machine.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.arrow import ArrowFSWrapper
from pydantic import ValidationError

from recsys.errors import BadData, BadUse, RecsysError, Unavailable
from recsys.release.digest import file_sha256
from recsys.release.manifest import FileEntry, Manifest
from recsys.release.releases import Releases
from recsys.release.s3 import s3_files
from recsys.release.store import ReleaseStore
from recsys.schema import MANIFEST_FILE

_BLOCK = 1 << 20
_ORPHAN_AGE_S = 24 * 3600


def open_store(root: str) -> ReleaseStore | RemoteStore:
    """The store at a folder or a URL.

    Raises:
        BadUse: The URL's protocol is unknown, or what it needs is not installed.
    """
    return RemoteStore(root) if "://" in root else ReleaseStore(root)


class RemoteStore(Releases):
    """The releases under a URL of any file system that fsspec knows; S3 through pyarrow's client.

    Of two publishers that want the same number, one gets the next; to tell them apart within the same
    moment the file system must know exclusive creation, which pyarrow's S3 client does not.

    Args:
        url: Such as `s3://bucket/releases`.

    Raises:
        BadUse: The URL's protocol is unknown, or what it needs is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            self._fs, root = _file_system(url)
        except (ValueError, ImportError) as error:
            raise BadUse(url, str(error), "Give a folder, or a URL such as s3://bucket/releases") from error
        self._url, self._root = url.rstrip("/"), root.rstrip("/")

    def __str__(self) -> str:
        return self._url

    def numbers(self) -> tuple[int, ...]:
        """The published release numbers, ascending."""
        with self._reachable():
            try:
                found = self._fs.ls(self._root, detail=False)  # not glob: to that no answer is an empty store
            except FileNotFoundError:
                return ()
            names = (path.rstrip("/").rpartition("/")[2] for path in found)
            return tuple(sorted(int(name) for name in names if name.isdigit() and self._is_published(name)))

    def show(self, number: int) -> Manifest:
        """The manifest of a release; see `Releases.show`."""
        path = self._manifest(number)
        try:
            with self._reachable():
                return Manifest.model_validate_json(self._fs.cat_file(path))
        except FileNotFoundError:
            raise self._unknown(number) from None
        except ValidationError as error:
            raise BadData(path, error.errors()[0]["msg"], "Publish the release again") from None

    def verify(self, number: int) -> None:
        """Reads every file of a release; see `Releases.verify`."""
        for name, entry in self.show(number).files.items():
            digest = hashlib.sha256()
            try:
                with self._reachable(), self._fs.open(self._object(entry.sha256), "rb") as stream:
                    while block := stream.read(_BLOCK):
                        digest.update(block)
            except FileNotFoundError:
                digest = hashlib.sha256(b"missing")
            if digest.hexdigest() != entry.sha256:
                cause = "missing, or its sha256 differs from the manifest's"
                raise BadData(f"{name} of release {number} in {self}", cause, "Publish it again")

    def _is_published(self, name: str) -> bool:
        try:
            self._fs.info(f"{self._root}/{name}/{MANIFEST_FILE}")
        except FileNotFoundError:
            return False
        return True

    def _place(self, manifest: Manifest) -> int:
        while True:
            path = self._manifest(manifest.release)
            try:
                with self._reachable():
                    self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                    self._fs.pipe_file(path, manifest.to_json().encode(), mode="create")
            except FileExistsError:  # another publisher took the number meanwhile
                manifest = manifest.model_copy(update={"release": manifest.release + 1})
                continue
            return manifest.release

    def _remove(self, number: int) -> None:
        self._fs.rm_file(self._manifest(number))

    def _manifest(self, number: int) -> str:
        return f"{self._root}/{number}/{MANIFEST_FILE}"

    def _object(self, sha256: str) -> str:
        return f"{self._root}/objects/{sha256[:2]}/{sha256}"

    def _store_object(self, source: Path) -> FileEntry:
        """Uploads a file unless an object of its name and size is there; an upload is whole or absent."""
        entry = FileEntry(sha256=file_sha256(source), size=source.stat().st_size)
        path = self._object(entry.sha256)
        if not self._fs.exists(path) or self._fs.size(path) != entry.size:
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.put_file(str(source), path)
        return entry

    def _keep_objects(self, named: set[str]) -> None:
        """Young objects stay too: a publisher may be about to name them."""
        for path in self._fs.find(f"{self._root}/objects"):
            age = time.time() - self._fs.modified(path).timestamp()
            if path.rpartition("/")[2] not in named and age > _ORPHAN_AGE_S:
                self._fs.rm_file(path)

    def _read_pointer(self) -> str | None:
        try:
            with self._reachable():
                text: bytes = self._fs.cat_file(f"{self._root}/current")
        except FileNotFoundError:
            return None
        return text.decode().strip()

    def _write_pointer(self, text: str) -> None:
        with self._reachable():
            self._fs.pipe_file(f"{self._root}/current", text.encode())

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Needs no lock: objects are added under the name of their content, a manifest only once."""
        with self._reachable():
            yield

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        self._fs.invalidate_cache()
        try:
            yield
        except (FileNotFoundError, FileExistsError, RecsysError):
            raise
        except OSError as error:
            cause = (str(error) or type(error).__name__).splitlines()[0]
            raise Unavailable(str(self), cause, "Check the address and the rights to it") from error


def _file_system(url: str) -> tuple[Any, str]:
    """Fsspec's file system for a URL, and the path on it."""
    if url.startswith("s3://"):
        return ArrowFSWrapper(s3_files()), url.removeprefix("s3://")
    found: tuple[Any, str] = fsspec.core.url_to_fs(url)
    return found
