"""The default text encoder: TF-IDF and truncated SVD (latent semantic analysis); it needs no weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from recsys.encoders.encoder import State
from recsys.encoders.projection import fix_signs, unit_length

_WIDTH = 128
_TERMS = 10_000
_LARGE = 100  # texts from which on a term must be in two of them, and in less than half


class TfidfSvdEncoder:
    """Words and pairs of words, weighted by rarity, condensed to 128 topics.

    Frequent words are left out by their frequency, in whatever language they are.

    Args:
        seed: Of the randomised SVD.
    """

    spec = "tfidf-svd"
    image_size = 0

    def __init__(self, seed: int = 42) -> None:
        self._seed = seed
        self._vectorizer: TfidfVectorizer | None = None
        self._topics = np.zeros((0, 0), dtype=np.float32)  # [width, terms]

    def identity(self) -> str:
        """Name, version of the recipe and its parameters."""
        return f"tfidf-svd/1 width={_WIDTH} terms={_TERMS} seed={self._seed}"

    def fit(self, inputs: Sequence[str]) -> None:
        """Learns vocabulary, rarities and topics.

        Args:
            inputs: The catalogue's texts; texts without any word are fine.
        """
        large = len(inputs) >= _LARGE
        vectorizer = _vectorizer(min_df=2 if large else 1, max_df=0.5 if large else 1.0)
        try:
            weights = vectorizer.fit_transform(inputs)
        except ValueError:  # no text holds a term: nothing can be told apart
            self._vectorizer, self._topics = None, np.zeros((_WIDTH, 0), dtype=np.float32)
            return
        self._vectorizer = vectorizer
        width = min(_WIDTH, *weights.shape)
        if min(weights.shape) <= _WIDTH:
            topics = np.linalg.svd(weights.toarray(), full_matrices=False)[2][:width]
        else:
            topics = TruncatedSVD(width, random_state=self._seed).fit(weights).components_
        self._topics = fix_signs(topics).astype(np.float32)

    def encode(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        """Encodes texts; unknown words count for nothing.

        Args:
            inputs: n texts.

        Returns:
            float32 [n, at most 128], rows of length 1, or zero for a text without any known word.
        """
        if self._vectorizer is None:
            return np.zeros((len(inputs), len(self._topics)), dtype=np.float32)
        weights = self._vectorizer.transform(inputs)
        return unit_length(np.asarray(weights @ self._topics.T))

    def state(self) -> State:
        """Vocabulary, rarities and topics."""
        if self._vectorizer is None:
            return {"terms": []}, {"idf": np.zeros(0), "topics": self._topics}
        terms = self._vectorizer.get_feature_names_out().tolist()
        return {"terms": terms}, {"idf": self._vectorizer.idf_, "topics": self._topics}

    def restore(self, state: State) -> None:
        """Takes up vocabulary, rarities and topics of an earlier fit."""
        meta, arrays = state
        self._topics = arrays["topics"]
        self._vectorizer = None
        if meta["terms"]:
            self._vectorizer = _vectorizer(vocabulary=meta["terms"])
            self._vectorizer.idf_ = arrays["idf"]


def _vectorizer(**options: Any) -> TfidfVectorizer:
    if "vocabulary" not in options:
        options["max_features"] = _TERMS
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32, **options)
