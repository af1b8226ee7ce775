from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import BadData
from recsys.index import build
from recsys.index.grow import extended, replaced
from recsys.index.kinds import KINDS

RNG = np.random.default_rng(0)
WIDTH = 64
QUERIES = RNG.normal(size=(20, WIDTH)).astype(np.float32)


def _vectors(rows: int) -> np.ndarray:
    """Of length 1, so that each is nearest to itself."""
    drawn = RNG.normal(size=(rows, WIDTH)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


OLD, NEW = _vectors(3_000), _vectors(40)


@pytest.mark.parametrize("kind", list(KINDS))
def test_new_vectors_are_found_behind_the_others(kind: str) -> None:
    index = build(OLD, kind)
    grown = extended(index, NEW)
    scores, items = grown.search(NEW, 1)
    assert items[:, 0].tolist() == list(range(3_000, 3_040))
    assert (scores[:, 0] > 0.98).all()  # of 1; some kinds keep vectors in short form
    assert grown.meta.items == 3_040
    assert index.meta.items == index.faiss_index.ntotal == 3_000


def test_old_answers_differ_only_by_what_is_inserted() -> None:
    before = build(OLD)
    scores, items = before.search(QUERIES, 50)
    grown_scores, grown_items = extended(before, NEW).search(QUERIES, 50)
    for row in range(len(QUERIES)):
        old = grown_items[row] < 3_000
        assert grown_items[row][old].tolist() == items[row][: old.sum()].tolist()
        assert grown_scores[row][old].tolist() == scores[row][: old.sum()].tolist()


@pytest.mark.parametrize("kind", list(KINDS))
def test_changed_items_have_their_new_vectors(kind: str) -> None:
    index = build(OLD, kind)
    changed = replaced(index, np.array([7, 2_999]), NEW[:2])
    assert changed.search(NEW[:2], 1)[1].ravel().tolist() == [7, 2_999]
    assert changed.meta.items == 3_000
    assert changed.meta.kind == kind


def test_exact_index_keeps_the_other_vectors_as_they_are() -> None:
    changed = replaced(build(OLD), np.array([7]), NEW[:1])
    kept = changed.faiss_index.reconstruct_n(0, 3_000)
    np.testing.assert_array_equal(np.delete(kept, 7, axis=0), np.delete(OLD, 7, axis=0))


@pytest.mark.parametrize(
    "bad", [np.full((1, WIDTH), np.nan, np.float32), np.zeros((1, WIDTH - 1), np.float32)]
)
def test_vectors_that_are_none_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(BadData, match="item embeddings"):
        extended(build(OLD[:100]), bad)
