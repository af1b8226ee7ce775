"""What scores say as chances: the relevance that other orders trade for something."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def logits(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """What the ranker's scores are the softsign of (`recsys.models.dlrm.Ranker.score`).

    Args:
        scores: 0 to 1, any shape; -inf where there is no item.

    Returns:
        float64, the same shape; -inf where there is no item.
    """
    there = np.isfinite(scores)
    stated = 2 * np.where(there, scores, 0.0).astype(np.float64) - 1
    return np.where(there, stated / np.maximum(1 - np.abs(stated), 1e-6), -np.inf)


def softmax(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Chances proportional to exp(value), by row.

    Args:
        values: [B, K]; -inf where there is no item.

    Returns:
        float64 [B, K], 0 where there is no item; a row without any is all 0.
    """
    greatest = values.max(axis=1, keepdims=True)
    weights = np.exp(values - np.where(np.isfinite(greatest), greatest, 0.0), dtype=np.float64)
    total = weights.sum(axis=1, keepdims=True)
    found: NDArray[np.float64] = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return found


def chances(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """The chance that each candidate is the next click if one of them is, -inf where there is no item.

    The scores themselves are squeezed towards 1: the best differ by hundredths there though one is several
    times likelier than the next, and a weight of difference beside them throws the likeliest out.

    Args:
        scores: The ranker's, [B, K]; -inf where there is no item.

    Returns:
        float64 [B, K].
    """
    return np.where(np.isfinite(scores), softmax(logits(scores)), -np.inf)
