"""A catalogue whose index lies in two halves on two Triton servers, and what happens when one is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from factories.release import make_release

from recsys.errors import Unavailable
from recsys.index.shard_model import MOST_ROWS, make_server
from recsys.schema import NO_ITEM, Degraded
from recsys.serving.chain import Chain
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


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("releases") / "1", items=ITEMS)


@pytest.fixture(scope="module")
def halves(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[TritonServer]]:
    """Two servers; the test that kills the second one comes last."""
    with ExitStack() as running:
        servers = []
        for shard in (0, 1):
            own = tmp_path_factory.mktemp(f"shard{shard}")
            models = make_server(own, release, shard, 2)
            servers.append(
                running.enter_context(TritonServer(models, own / "run", Settings(serving=SERVING)))
            )
        yield servers


def chain(release: Path, servers: list[TritonServer], silence: str = "others") -> Chain:
    addresses = ",".join(server.endpoints["grpc"] for server in servers)
    serving = SERVING.model_copy(update={"index_shards": addresses, "index_silence": silence})
    return Chain(release, Settings(serving=serving))


def test_halves_answer_like_the_whole_and_one_alone_says_so(
    release: Path, halves: list[TritonServer]
) -> None:
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

    halves[1].stop()
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

    halves[0].stop()
    popular = scattered.run(USERS)
    scattered.close()
    assert (popular["degraded"] & Degraded.RETRIEVAL == Degraded.RETRIEVAL).all()
    assert (popular["ordered_ids"][:, 0] != NO_ITEM).all()
