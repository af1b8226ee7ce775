from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from recsys.encoders.projection import Projection, fix_signs, unit_length


def _vectors(rows: int, width: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    scales = np.linspace(3, 0.1, width)
    return (random.normal(size=(rows, width)) * scales + 5).astype(np.float32)


def test_it_equals_scikit_learns_pca() -> None:
    vectors = _vectors(300, 100)
    ours = Projection.fit(vectors).apply(vectors)
    theirs = unit_length(PCA(64, svd_solver="full").fit_transform(vectors).astype(np.float32))
    signs = np.sign((ours * theirs).sum(axis=0))
    np.testing.assert_allclose(ours, theirs * signs, atol=1e-4)


@given(rows=st.integers(0, 40), width=st.integers(1, 100), seed=st.integers(0, 5))
def test_any_shape_gives_64_finite_columns(rows: int, width: int, seed: int) -> None:
    vectors = _vectors(rows, width, seed)
    projected = Projection.fit(vectors).apply(vectors)
    rank = max(min(rows - 1, width), 0)
    assert projected.shape == (rows, 64)
    assert np.isfinite(projected).all()
    assert not projected[:, rank:].any()
    lengths = np.linalg.norm(projected, axis=1)
    assert ((np.abs(lengths - 1) < 1e-5) | (lengths == 0)).all()


def test_inner_products_keep_the_cosines_around_the_mean() -> None:
    vectors = _vectors(200, 60)
    projected = Projection.fit(vectors).apply(vectors)
    centred = unit_length(vectors - vectors.mean(axis=0))
    np.testing.assert_allclose(projected @ projected.T, centred @ centred.T, atol=1e-4)


def test_equal_rows_have_no_direction() -> None:
    assert (
        not Projection.fit(np.full((5, 3), 2, dtype=np.float32)).apply(np.full((5, 3), 2, np.float32)).any()
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_signs_do_not_depend_on_the_solver(sign: int) -> None:
    axes = np.array([[0.1, -0.9], [0.5, 0.2]])
    np.testing.assert_array_equal(fix_signs(sign * axes), [[-0.1, 0.9], [0.5, 0.2]])
