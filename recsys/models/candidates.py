"""The items that a training step compares: the whole catalogue, or a sample whose bias is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pool:
    """Items of one step, each once.

    Attributes:
        items: Item indexes, int64 [C], ascending.
        log_inclusion: Log of each one's chance to be in the pool, float32 [C]; 0 where it is certain.
        positive: Column in `items` of each row's own item, int64 [B].
    """

    items: np.ndarray
    log_inclusion: np.ndarray
    positive: np.ndarray


class CandidatePools:
    """Draws the pool of each step.

    Up to `whole` items the pool is the catalogue: nothing is sampled and nothing needs correcting. Beyond
    it, the pool is the batch's own items (in-batch negatives) and `uniform` items of the catalogue, drawn
    without replacement, so that items nobody clicks are seen too (mixed negative sampling: Yang et al.,
    2020). In-batch items come in proportion to their popularity: a softmax over them learns
    log p(item | user) - log p(item), and ranks popular items far too low. Subtracting the log of the chance
    that an item is in the pool makes the sampled sum an unbiased estimate of the catalogue's
    (Horvitz-Thompson; the "logQ correction" of Yi et al., 2019), so scores rank p(item | user) itself.

    Args:
        popularity: Clicks of each item in the training rows, [n].
        whole: Greatest catalogue that is compared whole.
        uniform: Size of the uniform part beyond that.
        corrected: Whether the chances are told; if not, `Pool.log_inclusion` is 0 as if all were certain.
    """

    def __init__(self, popularity: np.ndarray, whole: int, uniform: int, *, corrected: bool = True) -> None:
        self._share = popularity / max(popularity.sum(), 1)
        self._uniform = min(uniform, len(popularity))
        self._corrected = corrected
        self.is_whole = len(popularity) <= whole
        self._all = np.arange(len(popularity), dtype=np.int64)
        self._certain = np.zeros(len(popularity), dtype=np.float32)

    def draw(self, positives: np.ndarray, rng: np.random.Generator) -> Pool:
        """The pool of a batch.

        Args:
            positives: Item index of each row, int64 [B].
            rng: Of the uniform part.
        """
        if self.is_whole:
            return Pool(self._all, self._certain, positives)
        extra = rng.choice(len(self._share), size=self._uniform, replace=False, shuffle=False)
        items = np.union1d(positives, extra).astype(np.int64)
        inclusion = self.inclusion(len(positives))[items] if self._corrected else np.ones(len(items))
        return Pool(items, np.log(inclusion).astype(np.float32), np.searchsorted(items, positives))

    def inclusion(self, batch: int) -> np.ndarray:
        """Chance of each item to be in the pool of a batch: 1 - (1 - p_i)^B (1 - U/n), float64 [n]."""
        if self.is_whole:
            return np.ones(len(self._share))
        absent = (1 - self._share) ** batch * (1 - self._uniform / len(self._share))
        inclusion: np.ndarray = np.maximum(1 - absent, np.finfo(np.float32).tiny)
        return inclusion
