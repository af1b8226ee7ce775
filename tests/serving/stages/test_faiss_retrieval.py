"""Retrieval: the best by inner product, popular items where there is no embedding, pads where too few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys import schema
from recsys.errors import BadData
from recsys.index import build
from recsys.schema import Degraded
from recsys.serving.catalogue import Popularity
from recsys.serving.stages.faiss_retrieval import FaissRetrieval, load

VECTORS = np.random.default_rng(1).normal(size=(10, 64)).astype(np.float32)
COUNTS = np.arange(10, dtype=np.float32)


@pytest.fixture
def stage() -> FaissRetrieval:
    return FaissRetrieval(build(VECTORS), Popularity(COUNTS), retrieved=4)


def test_the_best_first(stage: FaissRetrieval) -> None:
    users = VECTORS[[2, 7]]
    out = stage.run({"user_embedding": users})
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
    out = stage.run({"user_embedding": users})
    assert out["candidates"][0].tolist() == [9, 8, 7, 6]
    assert (np.diff(out["candidate_scores"][0]) < 0).all()
    assert out["retrieval_flags"].tolist() == [[Degraded.RETRIEVAL], [0]]
    assert np.array_equal(out["candidates"][1], stage.run({"user_embedding": users[1:]})["candidates"][0])


def test_an_index_that_fails_is_answered_with_popular_items(stage: FaissRetrieval) -> None:
    out = stage.run({"user_embedding": np.zeros((3, 8), np.float32)})  # not the index's width
    assert out["candidates"].tolist() == [[9, 8, 7, 6]] * 3
    assert out["retrieval_flags"].tolist() == [[Degraded.RETRIEVAL]] * 3


def test_fewer_items_than_asked_for_are_padded_not_repeated() -> None:
    stage = FaissRetrieval(build(VECTORS[:3]), Popularity(COUNTS[:3]), retrieved=5)
    for user in (VECTORS[:1], np.full((1, 64), np.nan, np.float32)):
        out = stage.run({"user_embedding": user})
        assert sorted(out["candidates"][0, :3].tolist()) == [0, 1, 2]
        assert out["candidates"][0, 3:].tolist() == [-1, -1]
        assert np.isneginf(out["candidate_scores"][0, 3:]).all()


def test_popularity_of_another_catalogue_is_refused(release: Path, tmp_path: Path) -> None:
    build(VECTORS).save(tmp_path)
    np.save(tmp_path / schema.POPULARITY_FILE, COUNTS[:-1])
    with pytest.raises(BadData, match="popularity"):
        load(tmp_path, {"retrieved": "4"})
    assert load(release, {"retrieved": "4"}).run({"user_embedding": VECTORS[:1]})["candidates"].shape == (
        1,
        4,
    )
