"""Answers that try things, and the chance of each place: what off-policy estimates need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsys.serving.diversity import Floats


def explore(
    scores: Floats, count: int, temperature: float | Floats, uniform: Floats
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw lists from a Plackett-Luce model of the scores.

    Each place is drawn from what is left with probability proportional to exp(score / temperature): the
    greatest sums of score / temperature and Gumbel noise, in order (Kool et al., "Stochastic beams and where
    to find them", 2019). So the chance of each place given those before it is known and can be logged.

    Args:
        scores: [B, K]; -inf where there is no item.
        count: How many to draw, at most K.
        temperature: Above 0, one for all or [B, 1]; the lower, the closer to the order by score.
        uniform: Draws in (0, 1), [B, K].

    Returns:
        Columns int64 [B, count] in the order drawn, and the chance of each given those before it, float64
        [B, count]; 0 where there was no item left.
    """
    scaled = np.asarray(scores, np.float64) / temperature
    noisy = scaled - np.log(-np.log(np.clip(uniform, 1e-300, 1 - 1e-16)))
    chosen: NDArray[np.int64] = np.argsort(-noisy, axis=1, kind="stable")[:, :count]
    return chosen, propensities(scores, chosen, temperature)


def propensities(
    scores: Floats, chosen: NDArray[np.int64], temperature: float | Floats
) -> NDArray[np.float64]:
    """The chance with which `explore` fills each place of a list, given the places before it.

    Args:
        scores: [B, K]; -inf where there is no item.
        chosen: Columns, int64 [B, count], none twice.
        temperature: Above 0, one for all or [B, 1].

    Returns:
        float64 [B, count]; 0 for a column without an item.
    """
    scaled = np.asarray(scores, np.float64) / temperature
    own = np.take_along_axis(scaled, chosen, axis=1)
    rest = scaled.copy()
    np.put_along_axis(rest, chosen, -np.inf, axis=1)
    # What is left at each place, added up from the end and as logarithms: small chances do not vanish.
    backwards = np.concatenate([np.logaddexp.reduce(rest, axis=1)[:, None], own[:, ::-1]], axis=1)
    left = np.logaddexp.accumulate(backwards, axis=1)[:, :0:-1]
    chance: NDArray[np.float64] = np.where(
        np.isfinite(own), np.exp(own - np.where(np.isfinite(left), left, 0)), 0
    )
    return chance
