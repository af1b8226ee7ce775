"""The servers of an index in parts: all have a release's part before it is promoted, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories.memory_files import MemoryFiles

from recsys.errors import BadUse, RecsysError
from recsys.index import build
from recsys.release.index_part import PartFiles
from recsys.release.part_servers import PartServer, PartServers, part_servers
from recsys.serving.control import Control
from recsys.serving.layout import Layout, only
from recsys.settings import ServingSettings, Settings

MODEL = "index_part_0_of_1"


class Triton(Control):
    """Loads whatever its files say, but for the releases that it cannot."""

    def __init__(self, files: MemoryFiles, broken: int | None = None) -> None:
        super().__init__("127.0.0.1:1")
        self._files = files
        self._broken = broken

    def load(self, name: str) -> None:
        assert name == MODEL

    def states(self) -> dict[tuple[str, int], str]:
        there = self._files.layout.versions
        return {(MODEL, one): "UNAVAILABLE" if one == self._broken else "READY" for one in there}


def two(broken: int | None = None) -> tuple[PartServers, list[MemoryFiles]]:
    files = [MemoryFiles(only(1)), MemoryFiles(only(1))]
    tritons = [Triton(files[0]), Triton(files[1], broken)]
    servers = [PartServer(f"part {at}", tritons[at], files[at], MODEL) for at in (0, 1)]
    return PartServers(servers), files


def test_a_release_is_loaded_beside_the_one_that_is_served() -> None:
    servers, files = two()
    servers.add(2)
    assert [one.layout.versions for one in files] == [(1, 2), (1, 2)]
    assert [one.layout.ensemble for one in files] == [1, 1]


def test_where_one_does_not_load_all_go_back() -> None:
    servers, files = two(broken=2)
    with pytest.raises(RecsysError, match="part 1: index_part_0_of_1 of release 2 is unavailable"):
        servers.add(2)
    assert [one.layout for one in files] == [only(1), only(1)]
    assert [one.cleared for one in files] == [1, 1]


def test_going_back_stops_where_the_release_is_served() -> None:
    servers, files = two()
    servers.add(2)
    servers.keep()
    servers.go_back()
    assert [one.layout.versions for one in files] == [(1, 2), (1, 2)]


@pytest.mark.parametrize(
    ("number", "standby", "left"),
    [(2, True, Layout((1, 2), 2)), (2, False, only(2)), (1, True, only(1))],
)
def test_the_release_before_stays_where_the_replicas_keep_it(
    number: int, standby: bool, left: Layout
) -> None:
    servers, files = two()
    servers.add(number)
    assert servers.settle(number, standby=standby) == []
    assert [one.layout for one in files] == [left, left]


def test_one_that_is_not_tidied_up_is_told_and_the_others_are() -> None:
    servers, files = two()
    servers.add(2)
    files[0].write = _refuse  # type: ignore[method-assign]
    (left,) = servers.settle(2, standby=False)
    assert "disk: full" in left
    assert files[1].layout == only(2)


def _refuse(_: Layout) -> None:
    raise RecsysError("disk", "full", "Make room")


def test_without_parts_there_is_nothing_to_do() -> None:
    none = part_servers([], "key", Settings())
    none.add(2)
    none.go_back()
    assert none.settle(2, standby=True) == []


def test_each_part_must_be_named() -> None:
    settings = Settings(serving=ServingSettings(index_shards="a:8001,b:8001"))
    with pytest.raises(BadUse, match="1 index parts: RECSYS_SERVING__INDEX_SHARDS names 2"):
        part_servers(["a:8000"], "key", settings)


def test_files_know_which_release_is_served(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / "releases" / str(number)
        folder.mkdir(parents=True)
        build(np.eye(8, 64, dtype=np.float32)).save(folder)
    files = PartFiles(tmp_path, 1, 2)
    files.write(only(1))
    files.write(files.read().beside(2))
    assert files.read() == Layout((1, 2), 1)
    files.write(files.read().switched(2))
    assert PartFiles(tmp_path, 1, 2).read() == Layout((1, 2), 2)
    (tmp_path / "triton" / "served").unlink()
    assert files.read() == Layout((1, 2), 2)
