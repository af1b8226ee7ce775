"""Retrieval from an index in parts of which one does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from factories.inputs import left_out
from factories.release import make_release

from recsys.errors import BadUse, Unavailable
from recsys.index import build
from recsys.index.scatter import Scattered
from recsys.schema import INDEX_FILE, UNKNOWN, Degraded
from recsys.serving.catalogue import Popularity
from recsys.serving.graph import RULE_INPUTS
from recsys.serving.stages.faiss_retrieval import FaissRetrieval, load

VECTORS = np.random.default_rng(1).normal(size=(10, 64)).astype(np.float32)
USERS = np.random.default_rng(2).normal(size=(3, 64)).astype(np.float32)
POPULARITY = Popularity(np.arange(10, dtype=np.float32))
PARAMETERS = {
    "retrieved": "20",
    "ranked": "10",
    "popular_places": "2",
    "category_places": "0",
    "trending_places": "0",
    "sources_refresh_s": "1",
    "index_timeout_s": "0.1",
}


def asked(users: np.ndarray) -> dict[str, np.ndarray]:
    """A request without rules."""
    category = np.full((len(users), 1), UNKNOWN)
    return {"user_embedding": users, "top_category": category, **left_out(RULE_INPUTS, len(users))}


class Away:
    """A part whose machine is gone."""

    def search(self, *_: object) -> tuple[np.ndarray, np.ndarray]:
        raise Unavailable("part", "gone", "Wait")

    def inner_products(self, *_: object) -> np.ndarray:
        raise Unavailable("part", "gone", "Wait")


@pytest.fixture
def half() -> Iterator[Scattered]:
    """Items 0 to 4; 5 to 9 are away."""
    scattered = Scattered([build(VECTORS[:5]), Away()], [5, 5])
    yield scattered
    scattered.close()


def test_the_other_part_s_candidates_are_offered_and_flagged(half: Scattered) -> None:
    out = FaissRetrieval(half, POPULARITY, retrieved=4).run(asked(USERS))
    expected = np.argsort(-(USERS @ VECTORS[:5].T), axis=1)[:, :4]
    assert np.array_equal(out["candidates"], expected)
    assert out["retrieval_flags"].tolist() == [[Degraded.INDEX_PART]] * 3


def test_a_user_without_embedding_has_popular_items_and_no_part_missing(half: Scattered) -> None:
    users = USERS.copy()
    users[1] = np.nan
    out = FaissRetrieval(half, POPULARITY, retrieved=4).run(asked(users))
    assert out["retrieval_flags"].ravel().tolist() == [
        Degraded.INDEX_PART,
        Degraded.RETRIEVAL,
        Degraded.INDEX_PART,
    ]
    assert out["candidates"][1].tolist() == [9, 8, 7, 6]


def test_an_index_that_must_be_whole_fails_and_says_which_part(half: Scattered) -> None:
    with pytest.raises(Unavailable, match="index part 1"):
        FaissRetrieval(half, POPULARITY, retrieved=4, whole=True).run(asked(USERS))


def test_nobody_there_is_answered_with_popular_items() -> None:
    stage = FaissRetrieval(Scattered([Away(), Away()], [5, 5]), POPULARITY, retrieved=4)
    with closing(stage):
        out = stage.run(asked(USERS))
    assert out["candidates"].tolist() == [[9, 8, 7, 6]] * 3
    assert out["retrieval_flags"].tolist() == [[Degraded.RETRIEVAL]] * 3


def test_it_starts_without_the_index_s_file_and_while_the_parts_are_away(tmp_path: Path) -> None:
    release = make_release(tmp_path / "1", items=60)
    (release / INDEX_FILE).unlink()
    stage = load(release, PARAMETERS | {"index_shards": "127.0.0.1:1,127.0.0.1:1"}, None)
    with closing(stage):
        out = stage.run(asked(USERS))
    assert out["retrieval_flags"].tolist() == [[Degraded.RETRIEVAL]] * 3
    assert (out["candidates"] >= 0).all()


def test_a_release_in_another_number_of_parts_is_refused(tmp_path: Path) -> None:
    release = make_release(tmp_path / "1", items=60)
    (release / "index_shards").mkdir()
    (release / "index_shards" / "shards.json").write_text("[20, 20, 20]")
    with pytest.raises(BadUse, match="has 3"):
        load(release, PARAMETERS | {"index_shards": "127.0.0.1:1,127.0.0.1:1"}, None)
