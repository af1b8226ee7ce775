"""The encoder of the newest clicks."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recsys import schema
from recsys.models.session import SessionEncoder

WIDTH, ROWS, LENGTH = 8, 5, schema.RECENT_CLICKS


@pytest.fixture(params=[1, 2])
def encoder(request: pytest.FixtureRequest) -> SessionEncoder:
    """One whose output does not start at zero."""
    made = SessionEncoder(WIDTH, heads=2, layers=request.param, dropout=0.5, seed=0)
    made(*clicks())
    made._out.set_weights([np.random.default_rng(0).normal(size=(WIDTH, schema.EMBEDDING_DIM))])
    return made


def clicks(seed: int = 1, there: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    there = np.arange(LENGTH) < rng.integers(2, 9, (ROWS, 1)) if there is None else there
    vectors = rng.normal(size=(ROWS, LENGTH, WIDTH)).astype(np.float32)
    ages = np.sort(rng.exponential(5, (ROWS, LENGTH)), axis=1).astype(np.float32)
    return vectors, ages, there, rng.normal(size=(ROWS, schema.EMBEDDING_DIM)).astype(np.float32)


def test_an_untrained_encoder_changes_nothing() -> None:
    found = SessionEncoder(WIDTH, heads=2, layers=1, dropout=0.0, seed=0)(*clicks())
    assert found.shape == (ROWS, schema.EMBEDDING_DIM)
    assert not found.numpy().any()


def test_without_clicks_it_says_nothing(encoder: SessionEncoder) -> None:
    there = clicks()[2].copy()
    there[2] = False
    found = encoder(*clicks(there=there)).numpy()
    assert not found[2].any()
    assert np.abs(np.delete(found, 2, axis=0)).sum(axis=1).all()


def test_padding_is_not_read(encoder: SessionEncoder) -> None:
    vectors, ages, there, asker = clicks()
    other, other_ages, _, _ = clicks(seed=2)
    noisy = np.where(there[..., None], vectors, other), np.where(there, ages, other_ages)
    np.testing.assert_allclose(encoder(*noisy, there, asker), encoder(vectors, ages, there, asker), atol=1e-5)


@pytest.mark.parametrize("changed", ["vectors", "ages", "order", "asker"])
def test_all_that_it_is_given_counts(encoder: SessionEncoder, changed: str) -> None:
    vectors, ages, there, asker = clicks()
    other = clicks(seed=2)
    given = {
        "vectors": (other[0], ages, there, asker),
        "ages": (vectors, other[1], there, asker),
        "order": (np.concatenate([vectors[:, 1::-1], vectors[:, 2:]], axis=1), ages, there, asker),
        "asker": (vectors, ages, there, other[3]),
    }[changed]
    assert not np.allclose(encoder(*given), encoder(vectors, ages, there, asker), atol=1e-3)


def test_only_training_drops_out(encoder: SessionEncoder) -> None:
    given = clicks()
    assert np.array_equal(encoder(*given), encoder(*given))
    assert not np.allclose(encoder(*given, training=True), encoder(*given), atol=1e-3)


def test_the_same_seed_gives_the_same_weights() -> None:
    made = [SessionEncoder(WIDTH, heads=2, layers=2, dropout=0.1, seed=3) for _ in range(2)]
    for each in made:
        tf.random.set_seed(0)
        each(*clicks())
    for first, second in zip(*(each.get_weights() for each in made), strict=True):
        np.testing.assert_array_equal(first, second)
