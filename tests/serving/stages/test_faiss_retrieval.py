"""Retrieval: the best by inner product, popular items where there is no embedding, pads where too few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories.inputs import left_out

from recsys import schema
from recsys.errors import BadData
from recsys.index import build
from recsys.schema import UNKNOWN, Degraded, Source
from recsys.serving.catalogue import Catalogue, Popularity
from recsys.serving.graph import RULE_INPUTS
from recsys.serving.rules import RuleTable
from recsys.serving.sources import Places, Sources
from recsys.serving.stages.faiss_retrieval import FaissRetrieval, load

VECTORS = np.random.default_rng(1).normal(size=(10, 64)).astype(np.float32)
COUNTS = np.arange(10, dtype=np.float32)


def asked(users: np.ndarray, top_category: int = UNKNOWN) -> dict[str, np.ndarray]:
    """A request without rules."""
    category = np.full((len(users), 1), top_category)
    return {"user_embedding": users, "top_category": category, **left_out(RULE_INPUTS, len(users))}


@pytest.fixture
def stage() -> FaissRetrieval:
    return FaissRetrieval(build(VECTORS), Popularity(COUNTS), retrieved=4)


def test_the_best_first(stage: FaissRetrieval) -> None:
    users = VECTORS[[2, 7]]
    out = stage.run(asked(users))
    expected = np.argsort(-(users @ VECTORS.T), axis=1)[:, :4]
    assert np.array_equal(out["candidates"], expected)
    np.testing.assert_allclose(
        out["candidate_scores"], np.take_along_axis(users @ VECTORS.T, expected, 1), rtol=1e-5
    )
    assert out["retrieval_flags"].tolist() == [[0], [0]]


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_user_without_embedding_gets_popular_items_and_nobody_else_does(
    stage: FaissRetrieval, broken: float
) -> None:
    users = VECTORS[[2, 7]].copy()
    users[0, 5] = broken
    out = stage.run(asked(users))
    assert out["candidates"][0].tolist() == [9, 8, 7, 6]
    assert (np.diff(out["candidate_scores"][0]) < 0).all()
    assert out["retrieval_flags"].tolist() == [[Degraded.RETRIEVAL], [0]]
    assert np.array_equal(out["candidates"][1], stage.run(asked(users[1:]))["candidates"][0])


def test_an_index_that_fails_is_answered_with_popular_items(stage: FaissRetrieval) -> None:
    out = stage.run(asked(np.zeros((3, 8), np.float32)))  # not the index's width
    assert out["candidates"].tolist() == [[9, 8, 7, 6]] * 3
    assert out["retrieval_flags"].tolist() == [[Degraded.RETRIEVAL]] * 3


def test_fewer_items_than_asked_for_are_padded_not_repeated() -> None:
    stage = FaissRetrieval(build(VECTORS[:3]), Popularity(COUNTS[:3]), retrieved=5)
    for user in (VECTORS[:1], np.full((1, 64), np.nan, np.float32)):
        out = stage.run(asked(user))
        assert sorted(out["candidates"][0, :3].tolist()) == [0, 1, 2]
        assert out["candidates"][0, 3:].tolist() == [-1, -1]
        assert np.isneginf(out["candidate_scores"][0, 3:]).all()


PARAMETERS = {
    "retrieved": "4",
    "ranked": "3",
    "popular_places": "1",
    "category_places": "1",
    "trending_places": "1",
    "sources_refresh_s": "1",
}


def test_popularity_of_another_catalogue_is_refused(release: Path, tmp_path: Path) -> None:
    build(VECTORS).save(tmp_path)
    np.save(tmp_path / schema.POPULARITY_FILE, COUNTS[:-1])
    with pytest.raises(BadData, match="popularity"):
        load(tmp_path, PARAMETERS, None)
    out = load(release, PARAMETERS, None).run(asked(VECTORS[:1]))
    assert out["candidates"].shape == (1, 4)
    assert out["candidate_sources"].tolist() == [[1, 1, 1, Source.POPULAR]]


TABLE = RuleTable(Catalogue(np.arange(10) + 100), np.arange(10) % 2, np.arange(10) // 5, np.arange(10) > 1)


def test_rules_are_kept_and_leave_as_many_as_there_are() -> None:
    stage = FaissRetrieval(build(VECTORS), Popularity(COUNTS), 4, TABLE)
    users = VECTORS[[2, 7, 3, 3]].copy()
    users[3] = np.nan
    inputs = asked(users)
    inputs["only_category_l1"][1, 0] = 1
    inputs["only_category_l2"][2, :2] = [7, 0]
    inputs["exclude"][2:, 999] = 103
    inputs["in_stock_only"][2:] = 1
    inputs["only_category_l1"][3, 0] = 1
    out = stage.run(inputs)
    assert np.array_equal(out["candidates"][:1], stage.run(asked(users[:1]))["candidates"])
    by_score = np.argsort(-(users[:3] @ VECTORS.T), axis=1)
    assert out["candidates"][1].tolist() == [item for item in by_score[1] if item % 2][:4]
    assert out["candidates"][2].tolist() == [item for item in by_score[2] if item in (2, 4)] + [-1, -1]
    assert out["candidates"][3].tolist() == [9, 7, 5, -1]
    assert out["candidate_sources"].tolist() == [[1] * 4, [1] * 4, [1, 1, 0, 0], [2, 2, 2, 0]]


def test_other_sources_take_the_last_places_and_keep_to_the_rules() -> None:
    sources = Sources(TABLE, COUNTS, Places(1, 1, 0), None)
    stage = FaissRetrieval(build(VECTORS), Popularity(COUNTS), 6, TABLE, sources)
    users = VECTORS[[2]]
    plain = FaissRetrieval(build(VECTORS), Popularity(COUNTS), 10).run(asked(users))
    order, score = plain["candidates"][0].tolist(), plain["candidate_scores"][0]
    out = stage.run(asked(users, top_category=0))
    items, found = out["candidates"][0].tolist(), out["candidate_sources"][0].tolist()
    assert [item for item in items if item not in (9, 8)] == [item for item in order if item not in (9, 8)][
        :4
    ]
    assert found[items.index(9)] & Source.POPULAR
    assert found[items.index(8)] & Source.CATEGORY
    np.testing.assert_allclose(
        out["candidate_scores"][0], score[[order.index(item) for item in items]], rtol=1e-5
    )
    inputs = asked(users, top_category=0)
    inputs["exclude"][0, 0] = 109
    assert 9 not in stage.run(inputs)["candidates"]


def test_sources_that_fail_leave_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = Sources(TABLE, COUNTS, Places(1, 1, 0), None)
    stage = FaissRetrieval(build(VECTORS), Popularity(COUNTS), 6, TABLE, sources)
    monkeypatch.setattr(sources, "lists", None)
    out = stage.run(asked(VECTORS[[2]]))
    plain = FaissRetrieval(build(VECTORS), Popularity(COUNTS), 6).run(asked(VECTORS[[2]]))
    assert np.array_equal(out["candidates"], plain["candidates"])
    assert out["retrieval_flags"].tolist() == [[0]]
