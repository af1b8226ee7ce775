"""The least effort that finds enough, and no more."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from recsys.index import build
from recsys.index.effort import efforts, recall_of, set_effort, tune

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(30, 64))
VECTORS = (CENTRES[RNG.integers(0, 30, 4_000)] + 0.5 * RNG.normal(size=(4_000, 64))).astype(np.float32)
USERS = VECTORS[::100] + 0.2 * RNG.normal(size=(40, 64)).astype(np.float32)
TRUTH = np.argsort(-(USERS @ VECTORS.T), axis=1)[:, :100]


@pytest.mark.parametrize("kind", ["pq", "hnsw", "ivf_pq"])
def test_the_least_effort_that_finds_enough_is_kept(kind: str) -> None:
    index = build(VECTORS, kind).faiss_index
    known = efforts(index, 100)
    recall, effort = tune(index, USERS, TRUTH, 0.9)
    assert recall >= 0.9
    assert recall == recall_of(index, USERS, TRUTH)
    probes = [each.get("probes") for each in known]
    less = known[: probes.index(effort.get("probes"))] if kind == "ivf_pq" else known[: known.index(effort)]
    for each in less:
        set_effort(index, each)
        assert recall_of(index, USERS, TRUTH) < 0.9


@pytest.mark.parametrize("kind", ["pq", "hnsw", "ivf_pq"])
def test_more_effort_finds_no_less(kind: str) -> None:
    index = build(VECTORS, kind).faiss_index
    found = []
    for effort in efforts(index, 100):
        set_effort(index, effort)
        found.append(recall_of(index, USERS, TRUTH))
    assert all(later >= earlier - 0.005 for earlier, later in pairwise(found))
    assert found[-1] > 0.97


def test_the_last_effort_stays_where_none_is_enough() -> None:
    index = build(VECTORS, "ivf_pq").faiss_index
    recall, effort = tune(index, USERS, TRUTH, 1.1)
    assert effort == efforts(index, 100)[-1]
    assert 0.9 < recall <= 1


def test_an_exact_index_knows_no_effort() -> None:
    assert tune(build(VECTORS[:500], "flat").faiss_index, USERS, TRUTH, 1.1)[1] == {}


@pytest.mark.parametrize("kind", ["half", "scalar", "pq", "ivf_pq"])
def test_an_answer_does_not_depend_on_who_else_asks(kind: str) -> None:
    index = build(VECTORS, kind)
    scores, items = index.search(USERS, 60)
    for row, user in enumerate(USERS):
        alone = index.search(user[None], 60)
        assert np.array_equal(alone[0][0], scores[row])
        assert np.array_equal(alone[1][0], items[row])
