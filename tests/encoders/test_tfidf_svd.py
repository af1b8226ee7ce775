from __future__ import annotations

import numpy as np
import pytest

from recsys.encoders.tfidf_svd import TfidfSvdEncoder

TEXTS = ["red garden hose", "green garden hose", "leather office chair", "office chair on wheels"]


def _many() -> list[str]:
    random = np.random.default_rng(0)
    words = [f"word{number}" for number in range(400)]
    return [" ".join(random.choice(words, 30)) for _ in range(300)]


def test_related_texts_are_near() -> None:
    encoder = TfidfSvdEncoder()
    encoder.fit(TEXTS)
    vectors = encoder.encode(TEXTS)
    scores = vectors @ vectors.T
    assert scores[0, 1] > 0.3 > abs(scores[0, 2])
    assert scores[2, 3] > 0.3


@pytest.mark.parametrize("texts", [TEXTS, _many()])
def test_state_restores_the_encoder(texts: list[str]) -> None:
    encoder, other = TfidfSvdEncoder(), TfidfSvdEncoder()
    encoder.fit(texts)
    other.restore(encoder.state())
    new = [*texts[:5], "something unknown garden", ""]
    np.testing.assert_allclose(other.encode(new), encoder.encode(new), atol=1e-6)


def test_the_same_texts_give_the_same_vectors() -> None:
    first, second = TfidfSvdEncoder(seed=1), TfidfSvdEncoder(seed=1)
    texts = _many()
    first.fit(texts)
    second.fit(texts)
    np.testing.assert_array_equal(first.encode(texts), second.encode(texts))
    assert first.identity() != TfidfSvdEncoder(seed=2).identity()


def test_unknown_words_are_zero() -> None:
    encoder = TfidfSvdEncoder()
    encoder.fit(TEXTS)
    assert not encoder.encode(["xylophone", ""]).any()


@pytest.mark.parametrize("texts", [[], ["", ""], ["!!", "??"]])
def test_texts_without_words_are_no_error(texts: list[str]) -> None:
    encoder, other = TfidfSvdEncoder(), TfidfSvdEncoder()
    encoder.fit(texts)
    other.restore(encoder.state())
    assert not other.encode(["garden", *texts]).any()
