"""What the server of one part of an index holds: that part of some releases, and a model repository.

    python -m recsys.index.part_folder --release var/releases/3 --shard 0 --shards 2 --to DIR

writes the first half of release 3's index and the model repository that serves it. On the machine for it

    tritonserver --model-repository=DIR/models

then answers for that half, and a Triton whose RECSYS_SERVING__INDEX_SHARDS names its address asks it.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from recsys.errors import BadData, BadUse
from recsys.index.index import Index, build
from recsys.index.shard_model import MODEL_PY, config, model_name, sizes_of
from recsys.index.sharded import FOLDER
from recsys.serving.repository import replace_code, replace_text

_VERSIONS: Final = re.compile(r"versions: \[ ([\d, ]+) \]")


class PartFolder:
    """One part's files; only what is missing is written, since Triton loads anew what has changed.

    Args:
        folder: Where they lie; it may be moved to another machine's same path.
        shard: Which part, from 0.
        shards: How many there are.

    Raises:
        BadUse: There is no such part.
    """

    def __init__(self, folder: Path, shard: int, shards: int) -> None:
        if not 0 <= shard < shards:
            raise BadUse(f"index part {shard}", f"there are {shards}, from 0", "Name one of them")
        self.models = folder / "models"
        self._releases = folder / "releases"
        self._shard = shard
        self._shards = shards
        self._model = self.models / model_name(shard, shards)

    def versions(self) -> tuple[int, ...]:
        """The releases whose part the model repository serves, ascending.

        Raises:
            BadData: The repository cannot be read.
        """
        path = self._model / "config.pbtxt"
        try:
            found = _VERSIONS.search(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadData(str(path), f"cannot be read ({error.strerror})", "Make it again") from error
        if found is None:
            raise BadData(str(path), "does not say which versions to serve", "Make it again")
        return tuple(int(number) for number in found[1].split(","))

    def hold(self, releases: Path, numbers: Sequence[int]) -> None:
        """Have the repository serve the part of these releases, once the model is loaded anew.

        Args:
            releases: Folder of the releases; each may be in parts already.
            numbers: Which, at least one.

        Raises:
            BadUse: A release is in another number of parts.
            BadData: A release's index is missing or damaged.
        """
        for number in numbers:
            part = self._part(number)
            if not part.is_dir():
                _cut(releases / str(number), self._shard, self._shards, part)
            replace_code(self._model / str(number) / "model.py", MODEL_PY)
        width = Index.describe(self._part(max(numbers))).width
        text = config(str(self._releases.resolve()), numbers, self._shard, self._shards, width)
        replace_text(self._model / "config.pbtxt", text)

    def drop(self) -> None:
        """Remove the files of releases that are served no more."""
        kept = set(map(str, self.versions()))
        for folder in (self._model, self._releases):
            for each in folder.iterdir():
                if each.name.isdigit() and each.name not in kept:
                    shutil.rmtree(each)

    def _part(self, number: int) -> Path:
        return self._releases / str(number) / FOLDER / str(self._shard)


def _cut(release: Path, shard: int, shards: int, to: Path) -> None:
    """Write one part of a release's index, whole or not at all."""
    sizes = sizes_of(release, shards)
    own = release / FOLDER / str(shard)
    if own.is_dir():
        part = Index.load(own)
    else:
        whole = Index.load(release)
        vectors = whole.faiss_index.reconstruct_n(sum(sizes[:shard]), sizes[shard])
        part = build(vectors, whole.meta.kind)
    staging = to.with_name(f".making-{to.name}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    part.save(staging)
    staging.replace(to)


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m recsys.index.part_folder`."""
    parser = argparse.ArgumentParser(
        prog="python -m recsys.index.part_folder", description="A part's server."
    )
    parser.add_argument("--release", type=Path, required=True, help="its folder, <releases>/<number>")
    parser.add_argument("--shard", type=int, required=True, help="which part, from 0")
    parser.add_argument("--shards", type=int, required=True, help="how many parts")
    parser.add_argument("--to", type=Path, required=True, help="the folder to fill")
    options = parser.parse_args(arguments)
    folder = PartFolder(options.to, options.shard, options.shards)
    folder.hold(options.release.parent, [int(options.release.name)])


if __name__ == "__main__":
    main()
