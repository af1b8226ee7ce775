"""Finds the R items with the greatest inner product; popular ones where there is no user embedding."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recsys.index import Index
from recsys.schema import Degraded
from recsys.serving.catalogue import Popularity
from recsys.serving.stage import Arrays

_log = logging.getLogger(__name__)


class FaissRetrieval:
    """Top-R search, never failing a request.

    Args:
        index: The release's index.
        popularity: What to offer where the search cannot.
        retrieved: R.
    """

    def __init__(self, index: Index, popularity: Popularity, retrieved: int) -> None:
        self._index = index
        self._retrieved = retrieved
        self._popular, self._popular_scores = popularity.top(retrieved)

    def run(self, inputs: Arrays) -> Arrays:
        """Search.

        Args:
            inputs: user_embedding float32 [B, 64], NaN where the tower failed.

        Returns:
            candidates int64 [B, R], item indexes, best first, then -1; candidate_scores float32 [B, R],
            inner products, -inf at pads; retrieval_flags int32 [B, 1].
        """
        users = inputs["user_embedding"]
        usable = np.isfinite(users).all(axis=1)
        try:
            # A NaN would make FAISS's heap return nonsense for that row alone; zeros are harmless.
            scores, items = self._index.search(np.where(usable[:, None], users, 0), self._retrieved)
        except Exception:  # noqa: BLE001 - whatever it raises, popular items beat an error
            _log.exception("index search failed")
            usable[:] = False
            scores = np.empty((len(users), self._retrieved), np.float32)
            items = np.empty((len(users), self._retrieved), np.int64)
        items[~usable] = self._popular
        scores[~usable] = self._popular_scores
        flags = np.where(usable, Degraded.NONE, Degraded.RETRIEVAL).astype(np.int32)
        return {"candidates": items, "candidate_scores": scores, "retrieval_flags": flags.reshape(-1, 1)}


def load(artefacts: Path, parameters: Mapping[str, str]) -> FaissRetrieval:
    """Load the index and the items' popularity.

    Raises:
        BadData: A file is missing, damaged or of another catalogue.
    """
    index = Index.load(artefacts)
    popularity = Popularity.load(artefacts, items=index.meta.items)
    return FaissRetrieval(index, popularity, int(parameters["retrieved"]))
