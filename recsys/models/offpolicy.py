"""What another policy would have earned, from the log of the one that was running.

A log row is one decision: the action that was taken, the probability with which the logging policy took it
(its propensity) and the reward. V is the value of the target policy pi, its expected reward a decision;
w_i is pi(a_i | x_i) / propensity_i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

_Z95: Final = 1.959964


@dataclass(frozen=True)
class Log:
    """Logged decisions, all float [rows].

    Attributes:
        reward: What the action earned.
        propensity: With which chance the logging policy took it; above 0.
        target: With which chance the target policy takes it.
    """

    reward: np.ndarray
    propensity: np.ndarray
    target: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.reward) == len(self.propensity) == len(self.target):
            raise ValueError("the columns differ in length")
        if not (self.propensity > 0).all():
            raise ValueError("a propensity is not above 0: no log row can have been taken with it")

    def weights(self, most: float = np.inf) -> np.ndarray:
        """Importance weights w, cut at `most`, float64 [rows]."""
        found: np.ndarray = np.minimum(self.target.astype(np.float64) / self.propensity, most)
        return found


@dataclass(frozen=True)
class Estimate:
    """An estimated value.

    Attributes:
        value: The estimate.
        error: Its standard error.
        effective_rows: (sum w)^2 / sum w^2: as many rows of the target policy itself would tell as
            much (Kish, 1965).
    """

    value: float
    error: float
    effective_rows: float

    @property
    def interval(self) -> tuple[float, float]:
        """The normal approximation's 95 % interval."""
        return self.value - _Z95 * self.error, self.value + _Z95 * self.error


def ips(log: Log, most: float = np.inf) -> Estimate:
    """Inverse propensity score: V = mean(w r); unbiased where the log's policy could take all actions.

    Sources: Horvitz and Thompson, 1952; Strehl et al., "Learning from logged implicit exploration data",
    2010 (the cut weights, which trade variance for bias).

    Args:
        log: The log, not empty.
        most: Greatest weight.
    """
    weights = log.weights(most)
    return _estimate(weights * log.reward, weights)


def snips(log: Log, most: float = np.inf) -> Estimate:
    """Self-normalised IPS: V = sum(w r) / sum(w); a little biased, far steadier, never beyond the rewards.

    Source: Swaminathan and Joachims, "The self-normalized estimator for counterfactual learning", 2015; its
    error by the delta method.

    Args:
        log: The log, not empty.
        most: Greatest weight.
    """
    weights = log.weights(most)
    total = weights.sum()
    if not total:
        return Estimate(float("nan"), float("nan"), 0.0)
    value = float(weights @ log.reward / total)
    error = float(np.sqrt(np.sum((weights * (log.reward - value)) ** 2)) / total)
    return Estimate(value, error, _effective(weights))


def doubly_robust(log: Log, taken: np.ndarray, expected: np.ndarray, most: float = np.inf) -> Estimate:
    """Doubly robust: V = mean(q(x, pi) + w (r - q(x, a))); right if the propensities or the model are.

    Source: Dudík, Langford and Li, "Doubly robust policy evaluation and learning", 2011.

    Args:
        log: The log, not empty.
        taken: A model's reward of the action that was taken, q(x, a), float [rows].
        expected: Its mean over the target policy's actions, q(x, pi) = sum_a pi(a | x) q(x, a), float [rows].
        most: Greatest weight.
    """
    weights = log.weights(most)
    return _estimate(expected + weights * (log.reward - taken), weights)


def _estimate(terms: np.ndarray, weights: np.ndarray) -> Estimate:
    spread = float(terms.std(ddof=1) / np.sqrt(len(terms))) if len(terms) > 1 else float("nan")
    return Estimate(float(terms.mean()), spread, _effective(weights))


def _effective(weights: np.ndarray) -> float:
    square = float(np.sum(weights**2))
    return float(weights.sum() ** 2 / square) if square else 0.0
