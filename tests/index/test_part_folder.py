"""The files of a part's server: all parts are the whole, and only what is missing is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.errors import BadData, BadUse
from recsys.index import Index, build
from recsys.index.part_folder import PartFolder, main
from recsys.index.shard_model import model_name
from recsys.index.sharded import FOLDER, build_sharded
from recsys.schema import INDEX_FILE

VECTORS = np.random.default_rng(0).normal(size=(21, 64)).astype(np.float32)


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """Releases 7 and 8, the same items the other way round."""
    for number, vectors in ((7, VECTORS), (8, VECTORS[::-1])):
        folder = tmp_path / "releases" / str(number)
        folder.mkdir(parents=True)
        build(np.ascontiguousarray(vectors)).save(folder)
    return tmp_path / "releases"


def test_the_parts_of_a_release_are_written_and_are_all_of_it(releases: Path, tmp_path: Path) -> None:
    read = []
    for shard in (0, 1):
        to = tmp_path / str(shard)
        main(["--release", str(releases / "7"), "--shard", str(shard), "--shards", "2", "--to", str(to)])
        part = Index.load(to / "releases" / "7" / FOLDER / str(shard))
        read.append(part.faiss_index.reconstruct_n(0, part.meta.items))
        model = to / "models" / model_name(shard, 2)
        config = (model / "config.pbtxt").read_text()
        assert PartFolder(to, shard, 2).versions() == (7,)
        assert f'key: "shard", value: {{ string_value: "{shard}" }}' in config
        assert (model / "7" / "model.py").is_file()
    assert np.array_equal(np.concatenate(read), VECTORS)
    with pytest.raises(BadUse, match="there are 2"):
        PartFolder(tmp_path / "2", 2, 2)


def test_parts_that_a_release_has_already_are_kept(tmp_path: Path) -> None:
    release = tmp_path / "3"
    release.mkdir()
    build_sharded(VECTORS, 3).save(release)
    PartFolder(tmp_path / "to", 1, 3).hold(tmp_path, [3])
    copied = tmp_path / "to" / "releases" / "3" / FOLDER / "1" / INDEX_FILE
    assert copied.read_bytes() == (release / FOLDER / "1" / INDEX_FILE).read_bytes()


def test_another_release_leaves_the_files_of_the_first_as_they_are(releases: Path, tmp_path: Path) -> None:
    """Triton loads a version anew whose files have changed."""
    folder = PartFolder(tmp_path / "part", 0, 2)
    folder.hold(releases, [7])
    files = [path for path in (tmp_path / "part").rglob("*") if path.is_file() and "7" in path.parts]
    before = {path: path.stat().st_mtime_ns for path in files}
    assert len(before) >= 3
    folder.hold(releases, [7, 8])
    assert folder.versions() == (7, 8)
    assert {path: path.stat().st_mtime_ns for path in files} == before
    folder.hold(releases, [8])
    assert all(path.is_file() for path in files), "Triton may still be answering from them"
    folder.drop()
    assert folder.versions() == (8,)
    assert not any(path.exists() for path in files)


def test_a_cut_that_broke_off_is_made_again(releases: Path, tmp_path: Path) -> None:
    left = tmp_path / "part" / "releases" / "7" / FOLDER / ".making-0"
    left.mkdir(parents=True)
    (left / INDEX_FILE).write_bytes(b"half")
    PartFolder(tmp_path / "part", 0, 2).hold(releases, [7])
    assert Index.load(left.with_name("0")).meta.items == 11


def test_a_folder_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="cannot be read"):
        PartFolder(tmp_path, 0, 2).versions()
