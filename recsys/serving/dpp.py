"""Determinantal point processes: answers whose items are good and, as a set, unlike each other."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.serving.diversity import Floats, scaled

_LEAST: Final = 1e-6
"""Variance from which on an item counts as a copy of what is chosen."""


def dpp(relevance: Floats, vectors: Floats, count: int, weight: Floats) -> NDArray[np.int64]:
    """Choose the items with the greatest determinant, one by one.

    The kernel is L_ij = q_i S_ij q_j with S_ij = (1 + v_i · v_j) / 2 and q_i = exp(a r_i),
    a = (1 - weight) / (2 weight), r the relevance scaled to 0..1. Sources: Chen, Zhang and Zhou, "Fast
    greedy MAP inference for determinantal point process to improve recommendation diversity", NeurIPS 2018:
    algorithm 1 (incremental Cholesky: count^2 K rather than count^4 K), and its section 4.2 for the weight.

    Args:
        relevance: [B, K], greater is better, any finite scale; -inf where there is no item.
        vectors: [B, K, D], of length one or zero.
        count: How many to choose, at most K.
        weight: [B], 0: by relevance alone, ties in the given order; towards 1: by difference alone.

    Returns:
        Columns int64 [B, count] in the order they were chosen, none twice; where there are fewer items the
        rest are columns without one.
    """
    rows = np.arange(len(relevance))
    there = np.isfinite(relevance)
    share = scaled(relevance)
    trade = np.clip(np.asarray(weight, np.float64), 0, 1)[:, None]
    strength = np.divide(1 - trade, 2 * trade, out=np.zeros_like(trade), where=trade > 0)
    variance = np.ones(share.shape)
    basis = np.zeros((*share.shape, count))
    left = np.ones(share.shape, np.bool_)
    chosen = np.empty((len(rows), count), np.int64)
    for step in range(count):
        # log(q^2 d^2); with weight 0 relevance alone, and after the last different item too.
        gain = np.where(trade > 0, 2 * strength * share + np.log(np.maximum(variance, _LEAST)), share)
        gain = np.where(trade > 0, np.where(variance > _LEAST, gain, share - 1e3), gain)
        gain = np.where(there, gain, -1e6)
        best = np.where(left, gain, -np.inf).argmax(axis=1)
        chosen[:, step] = best
        left[rows, best] = False
        own = basis[rows, best]
        similarity = (1 + np.einsum("bkd,bd->bk", vectors, vectors[rows, best])) / 2
        deviation = np.sqrt(np.maximum(variance[rows, best], _LEAST))[:, None]
        part = (similarity - np.einsum("bks,bs->bk", basis, own)) / deviation
        basis[:, :, step] = part
        variance = np.maximum(variance - part**2, 0)
    return chosen
