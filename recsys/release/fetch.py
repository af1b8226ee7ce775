"""A release brought into a container: copied from the store of releases, every file checked against its hash.

    python -m recsys.release.fetch --source s3://bucket/releases --into /var/lib/recsys

The source is a store that `ReleaseStore` wrote: a folder, such as a mounted volume, or its copy in S3. Files
are taken from its content-addressed `objects/`, and what does not hash to its name is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pyarrow import fs
from pydantic import ValidationError

from recsys.errors import BadData, BadUse, RecsysError, Unavailable, told_in_a_line
from recsys.release.manifest import Manifest
from recsys.release.s3 import s3_files
from recsys.release.store import ReleaseStore
from recsys.schema import MANIFEST_FILE

_BLOCK: Final = 1 << 20
_FIX: Final = "Publish the release again"


def fetch(source: str, home: Path, number: int = 0) -> int:
    """Copy one release into `<home>/releases` and make it the current one there.

    A release that is there already, whole, is not copied again; one that is damaged is.

    Args:
        source: Root of a release store: a folder or s3://bucket/prefix.
        home: The container's state folder.
        number: Which release; 0 for the one that is current at the source.

    Returns:
        The release's number.

    Raises:
        BadUse: There is no such release, or none is current, or the source is no address.
        BadData: A file is missing or does not hash to what the manifest says.
        Unavailable: The source cannot be read.
    """
    files, root = _open(source)
    if number == 0:
        number = _current(files, root, source)
    store = ReleaseStore(home / "releases")
    if not _is_whole(store, number):
        _copy(files, root, store.root / str(number), number)
    store.verify(number)
    store.set_current(number)
    return number


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m recsys.release.fetch`; says in one line what it did, or why it could not."""
    options = options_parser("python -m recsys.release.fetch", "Bring a release here.").parse_args(arguments)
    with told_in_a_line():
        number = fetch(options.source, options.into, options.release)
    sys.stdout.write(f"release {number} is in {options.into}, every file as its manifest says\n")


def options_parser(program: str, description: str) -> argparse.ArgumentParser:
    """The options that every command which starts from a release has.

    Args:
        program: How it is called.
        description: What it does.
    """
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--source", required=True, help="store of releases: a folder or s3://bucket/prefix")
    parser.add_argument("--into", type=Path, required=True, help="state folder of this container")
    parser.add_argument("--release", type=int, default=0, help="its number; 0: the current one (default)")
    return parser


def _open(source: str) -> tuple[fs.FileSystem, str]:
    """The source's file system and the root of the store on it."""
    if source.startswith("s3://"):
        return s3_files(), source.removeprefix("s3://").strip("/")
    if "://" in source:
        raise BadUse(f"source {source}", "neither a folder nor s3://", "Give one of these")
    return fs.LocalFileSystem(), str(Path(source).resolve())


def _current(files: fs.FileSystem, root: str, source: str) -> int:
    text = _read(files, f"{root}/current")
    if text is None:
        raise BadUse(f"store {source}", "no release is current", "Promote one, or name one with --release")
    if not text.strip().isdigit():
        raise BadData(f"{source}/current", f"says {text[:20]!r}", "Promote a release")
    return int(text)


def _is_whole(store: ReleaseStore, number: int) -> bool:
    try:
        store.verify(number)
    except RecsysError:
        return False
    return True


def _copy(files: fs.FileSystem, root: str, folder: Path, number: int) -> None:
    text = _read(files, f"{root}/{number}/{MANIFEST_FILE}")
    if text is None:
        raise BadUse(f"release {number}", f"not in {root}", "Name one that is published")
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BadData(f"{root}/{number}/{MANIFEST_FILE}", error.errors()[0]["msg"], _FIX) from error
    staging = folder.with_name(f".fetching-{number}")
    shutil.rmtree(staging, ignore_errors=True)
    for name, entry in manifest.files.items():
        target = (staging / name).resolve()
        if not target.is_relative_to(staging.resolve()):
            raise BadData(f"release {number}", f"names {name}, outside of itself", _FIX)
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy_object(files, f"{root}/objects/{entry.sha256[:2]}/{entry.sha256}", target, entry.sha256)
    (staging / MANIFEST_FILE).write_text(text)
    shutil.rmtree(folder, ignore_errors=True)
    staging.replace(folder)


def _copy_object(files: fs.FileSystem, path: str, target: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    try:
        with files.open_input_stream(path) as reader, target.open("wb") as writer:
            while block := reader.read(_BLOCK):
                digest.update(block)
                writer.write(block)
    except FileNotFoundError as error:
        raise BadData(path, "missing from the store", _FIX) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if digest.hexdigest() != sha256:
        raise BadData(path, "does not hash to its name", _FIX)


def _read(files: fs.FileSystem, path: str) -> str | None:
    """A small file's text; None if there is none."""
    try:
        with files.open_input_stream(path) as stream:
            text: bytes = stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    return text.decode("utf-8", "replace")


def _unreadable(path: str, error: OSError) -> Unavailable:
    cause = " ".join(str(error).split())[:200] or type(error).__name__
    return Unavailable(path, cause, "Check the address, the network and the role that may read it")


if __name__ == "__main__":
    main()
