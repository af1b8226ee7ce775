"""A catalogue whose index lies in two halves on two Triton servers.

They answer like the whole, never from two releases at once, and one alone when the other is killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from factories.release import make_release

from recsys.errors import Unavailable
from recsys.index.shard_model import MOST_ROWS, model_name
from recsys.index.triton_part import require_parts
from recsys.release import index_part
from recsys.release.agent import Agent
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.part_servers import PartServer, PartServers
from recsys.release.replica import Files
from recsys.release.store import ReleaseStore
from recsys.schema import NO_ITEM, Degraded
from recsys.serving.chain import Chain
from recsys.serving.control import Control
from recsys.serving.layout import Layout, only
from recsys.serving.triton import TritonServer
from recsys.settings import ServingSettings, Settings

pytestmark = pytest.mark.functional

ITEMS = 501
FIRST_HALF = 251
SERVING = ServingSettings(
    retrieved=120, ranked=90, returned=30, http_port=0, grpc_port=0, metrics_port=0, index_timeout_s=10
)
USERS = {
    "user_id": np.array([3, 10, 11, 99]),
    "timestamp": np.full(4, 1_755_000_000),
    "only_category_l1": np.array([[-1] * 8, [-1] * 8, [1, 2, *[-1] * 6], [-1] * 8]),
}


@dataclass(frozen=True)
class Half:
    """A server of one part and the agent beside it."""

    triton: TritonServer
    agent: Agent
    shard: int

    def part(self, files: Files | None = None) -> PartServer:
        control = Control(self.triton.endpoints["http"])
        return PartServer(f"half {self.shard}", control, files or self.agent, model_name(self.shard, 2))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ReleaseStore:
    """Releases 1 and 2: other vectors, and other items at the same places."""
    folder = tmp_path_factory.mktemp("store")
    found = ReleaseStore(folder / "releases")
    for seed in (0, 1):
        made = make_release(folder / f"staging-{seed}", items=ITEMS, seed=seed)
        data = DataWindow(fingerprint=str(seed), days=(0,))
        found.publish(made, data=data, metrics={}, gate=Verdict(passed=True, reason=""))
    found.set_current(1)
    return found


@pytest.fixture(scope="module")
def release(store: ReleaseStore) -> Path:
    return store.path(1)


@pytest.fixture(scope="module")
def halves(store: ReleaseStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Half]]:
    """Two servers on release 1, made ready as their containers are; the test that kills them comes last."""
    with ExitStack() as running:
        found = []
        for shard in (0, 1):
            home = tmp_path_factory.mktemp(f"half{shard}")
            place = ["--source", str(store.root), "--into", str(home)]
            index_part.main([*place, "--part", str(shard), "--parts", "2"])
            files = index_part.PartFiles(home, shard, 2)
            server = TritonServer(home / "triton" / "models", home / "run", Settings(serving=SERVING))
            agent = Agent(str(store.root), home, SERVING, files)
            found.append(Half(running.enter_context(server), agent, shard))
        yield found


def serving(halves: list[Half], silence: str = "others") -> ServingSettings:
    addresses = ",".join(half.triton.endpoints["grpc"] for half in halves)
    return SERVING.model_copy(update={"index_shards": addresses, "index_silence": silence})


def chain(release: Path, halves: list[Half], silence: str = "others") -> Chain:
    return Chain(release, Settings(serving=serving(halves, silence)))


class OutOfReach:
    """The files of a server whose agent cannot bring another release."""

    def __init__(self, agent: Agent) -> None:
        self.read, self.clear, self._write = agent.read, agent.clear, agent.write

    def write(self, layout: Layout) -> None:
        if len(layout.versions) > 1:
            raise Unavailable("the store of releases", "away", "Wait")
        self._write(layout)


def flags(release: Path, halves: list[Half]) -> int:
    """What an answer of a release's own stages fell back on, all users together."""
    with closing(chain(release, halves)) as asked:
        return int(np.bitwise_or.reduce(asked.run(USERS)["degraded"], axis=None))


def test_a_release_is_answered_from_its_own_parts_alone(store: ReleaseStore, halves: list[Half]) -> None:
    first, second = store.path(1), store.path(2)
    assert flags(second, halves) & Degraded.RETRIEVAL == Degraded.RETRIEVAL, "rather than from release 1's"
    with pytest.raises(Unavailable, match="index_part_0_of_2 of release 2"):
        require_parts(serving(halves), 2)

    # All or none: what the first has loaded is unloaded again.
    broken = PartServers([halves[0].part(), halves[1].part(OutOfReach(halves[1].agent))])
    with pytest.raises(Unavailable, match="store of releases"):
        broken.add(2)
    assert [half.part().layout() for half in halves] == [only(1), only(1)]
    assert not halves[0].part().serves(2)

    servers = PartServers([half.part() for half in halves])
    servers.add(2)
    require_parts(serving(halves), 2)
    for folder in (first, second):
        with closing(chain(folder, halves)) as asked:
            found = asked.run(USERS)["candidates"]
        assert np.array_equal(found, Chain(folder, Settings(serving=SERVING)).run(USERS)["candidates"])

    # Half a step: the first has nothing but release 2, the second has both.
    halves[0].part().settle(only(2))
    assert flags(first, halves) & Degraded.INDEX_PART == Degraded.INDEX_PART
    assert flags(second, halves) & (Degraded.INDEX_PART | Degraded.RETRIEVAL) == 0

    assert servers.settle(2, standby=False) == []
    assert flags(first, halves) & Degraded.RETRIEVAL == Degraded.RETRIEVAL
    back = PartServers([half.part() for half in halves])
    back.add(1)
    assert back.settle(1, standby=True) == []
    assert [half.part().layout() for half in halves] == [only(1), only(1)]


def test_halves_answer_like_the_whole_and_one_alone_says_so(release: Path, halves: list[Half]) -> None:
    whole = Chain(release, Settings(serving=SERVING)).run(USERS)
    scattered = chain(release, halves)
    found = scattered.run(USERS)
    for name in ("candidates", "candidate_sources", "ordered_ids", "ordered_sources", "degraded"):
        assert np.array_equal(found[name], whole[name]), name
    np.testing.assert_allclose(found["candidate_scores"], whole["candidate_scores"], rtol=1e-5)
    np.testing.assert_allclose(found["ordered_scores"], whole["ordered_scores"], rtol=1e-5)

    rows = MOST_ROWS + 6
    many = {"user_id": np.arange(rows), "timestamp": np.full(rows, 1_755_000_000)}
    crowd = Chain(release, Settings(serving=SERVING)).run(many)
    assert np.array_equal(scattered.run(many)["candidates"], crowd["candidates"])

    halves[1].triton.stop()
    alone = scattered.run(USERS)
    there = alone["candidates"][alone["candidates"] != NO_ITEM]
    assert len(there) > 0
    assert (there < FIRST_HALF).all()
    assert (alone["degraded"] == found["degraded"] | Degraded.INDEX_PART).all()
    assert (alone["ordered_ids"][:, 0] != NO_ITEM).all()
    strict = chain(release, halves, silence="error")
    with pytest.raises(Unavailable, match="index part 1"):
        strict.run(USERS)
    strict.close()

    halves[0].triton.stop()
    popular = scattered.run(USERS)
    scattered.close()
    assert (popular["degraded"] & Degraded.RETRIEVAL == Degraded.RETRIEVAL).all()
    assert (popular["ordered_ids"][:, 0] != NO_ITEM).all()
