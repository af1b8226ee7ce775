"""Filtered search against the exact one over the allowed items alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import BadUse
from recsys.index import Index, build, filtered
from recsys.schema import NO_ITEM


def vectors_of(rows: int, seed: int = 0) -> np.ndarray:
    """Vectors around a few centres, as learned embeddings lie."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(12, 64))
    return (centres[rng.integers(0, 12, rows)] + 0.5 * rng.normal(size=(rows, 64))).astype(np.float32)


def exact(items: np.ndarray, users: np.ndarray, k: int, allowed: np.ndarray) -> np.ndarray:
    scores = np.where(allowed, users @ items.T, -np.inf)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.where(np.take_along_axis(scores, best, axis=1) == -np.inf, NO_ITEM, best)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 300),
    batch=st.integers(1, 9),
    k=st.integers(1, 320),
    share=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    own=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_it_is_the_exact_search_of_what_is_allowed(
    rows: int, batch: int, k: int, *, share: float, own: bool, seed: int
) -> None:
    items, users = vectors_of(rows, seed), vectors_of(batch, seed + 1)
    allowed = np.random.default_rng(seed).random((batch, rows) if own else rows) < share
    scores, found = build(items).search(users, k, allowed)
    wide = np.broadcast_to(allowed, (batch, rows))
    width = min(k, rows)
    expected = np.where(wide, users @ items.T, -np.inf)
    best = -np.sort(-expected, axis=1)[:, :width]
    np.testing.assert_allclose(scores[:, :width], best, rtol=1e-4, atol=1e-4)
    assert ((found != NO_ITEM) == np.isfinite(scores)).all()
    for row, mask in zip(found, wide, strict=True):
        real = row[row != NO_ITEM]
        assert mask[real].all()
        assert len(set(real.tolist())) == len(real) == min(k, mask.sum())


def test_all_allowed_is_no_filter() -> None:
    index, users = build(vectors_of(500)), vectors_of(5, seed=1)
    plain, masked = index.search(users, 50), index.search(users, 50, np.ones(500, bool))
    assert np.array_equal(plain[0], masked[0])
    assert np.array_equal(plain[1], masked[1])


@pytest.mark.parametrize("kind", ["scalar", "pq", "hnsw", "ivf_pq"])
def test_other_kinds_keep_their_recall(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtered, "COMPARED", 300)
    items, users = vectors_of(4_000), vectors_of(20, seed=3)
    build(items, kind).save(tmp_path)
    index = Index.load(tmp_path)

    def recall(mask: np.ndarray) -> float:
        found, truth = index.search(users, 50, mask)[1], exact(items, users, 50, mask)
        assert mask[found[found != NO_ITEM]].all()
        return float(np.mean([np.isin(b, a).mean() for a, b in zip(found, truth, strict=True)]))

    unfiltered = recall(np.ones(len(items), bool))
    for share in (0.5, 0.1, 0.02):  # the last few enough to be compared all
        assert recall(np.random.default_rng(0).random(len(items)) < share) >= unfiltered - 0.03


@pytest.mark.parametrize("kind", ["half", "scalar", "pq", "hnsw", "ivf_pq"])
def test_few_are_all_compared_whatever_the_kind(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtered, "_SCANNED", 100)
    items, users = vectors_of(2_500), vectors_of(6, seed=3)
    allowed = np.random.default_rng(0).random((6, len(items))) < 0.05
    index = build(items, kind)
    scores, found = index.search(users, 50, allowed)
    kept = np.where(allowed, users @ index.faiss_index.reconstruct_n(0, len(items)).T, -np.inf)
    np.testing.assert_allclose(scores, -np.sort(-kept, axis=1)[:, :50], rtol=1e-4, atol=1e-3)
    assert np.take_along_axis(allowed, found, axis=1).all()


@pytest.mark.parametrize("kind", ["pq", "ivf_pq"])
def test_what_is_allowed_may_lie_far_from_the_user(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtered, "COMPARED", 10)
    items, users = vectors_of(4_000), vectors_of(4, seed=3)
    index = build(items, kind)
    for user in users:
        allowed = items @ user < np.quantile(items @ user, 0.3)  # only those that nobody would show
        found, truth = index.search(user[None], 50, allowed)[1], exact(items, user[None], 50, allowed)
        assert np.isin(found, truth).mean() > 0.95


def test_vectors_are_read_back_as_they_are_kept() -> None:
    items, wanted = vectors_of(1_000), np.array([999, 0, 0, 17])
    for kind in ("flat", "half", "scalar", "pq", "hnsw", "ivf_pq"):
        index = build(items, kind).faiss_index
        expected = np.stack([index.reconstruct(int(item)) for item in wanted])
        assert np.array_equal(filtered.vectors_of(index, wanted), expected)


@pytest.mark.parametrize("mask", [np.ones(9, bool), np.ones((3, 10), bool), np.ones(10, np.int8)])
def test_a_mask_that_does_not_fit_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(BadUse, match="10 items"):
        build(vectors_of(10)).search(vectors_of(2), 3, mask)
