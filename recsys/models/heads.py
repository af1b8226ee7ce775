"""Carts and purchases: what becomes of a click, as heads of the ranker beside the click's own.

The ranker's last layer puts out a column for each of them. They learn from clicks only: the chance that a
click, if it happens, goes so far. With the click's own score that is the decomposition of the entire-space
model (Ma et al., "Entire space multi-task model", SIGIR 2018): P(cart) = P(click) · P(cart | click).

On rows held out each is calibrated, and may add what the newest clicks say about the item: who looks for
something is likelier to take it. What a score is made of in the end:

    logit + log(1 + cart_value · P(cart | click) + purchase_value · P(purchase | click))

so with both values 0 (the default) the order is the click's, and else it is by what a click is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import minimize

from recsys.schema import HEADS

_LEAST: Final = 30
"""Rows of either kind below which a head stays as it was trained."""

_RIDGE: Final = 1.0


def labels(event: np.ndarray | None, rows: int) -> NDArray[np.float32]:
    """What each head is to say.

    Args:
        event: Of `schema.EVENT_CODES`, int [rows]; None: no row tells.
        rows: How many there are.

    Returns:
        float32 [rows, heads]; NaN where the event is not known.
    """
    if event is None:
        return np.full((rows, len(HEADS)), np.nan, np.float32)
    reached = (event[:, None] >= np.arange(1, len(HEADS) + 1)).astype(np.float32)
    return np.where(event[:, None] < 0, np.float32(np.nan), reached)


def are_there(event: np.ndarray | None) -> bool:
    """Whether some rows went so far: without such there is nothing to learn."""
    return event is not None and bool((event > 0).any())


def loss(logits: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of clicks, the mean of the heads.

    Args:
        logits: float32 [B, heads].
        target: Of `labels`.
    """
    known = tf.math.is_finite(target)
    wanted = tf.where(known, target, tf.zeros_like(target))
    entropy = tf.where(known, tf.nn.softplus(logits) - wanted * logits, tf.zeros_like(logits))
    return tf.reduce_sum(entropy) / tf.maximum(tf.reduce_sum(tf.cast(known, tf.float32)), 1.0)


@dataclass(frozen=True)
class Heads:
    """Calibrated heads.

    Attributes:
        weights: Of the ranker's own logit of the head (first) and of the newest clicks' features, float32
            [heads, 1 + features].
        offset: float32 [heads].
        values: Clicks that each is worth, float [heads].
    """

    weights: NDArray[np.float32]
    offset: NDArray[np.float32]
    values: tuple[float, ...]

    @property
    def are_worth(self) -> bool:
        """Whether they change the order."""
        return any(value > 0 for value in self.values)

    def chances(self, logits: tf.Tensor, features: tf.Tensor | None) -> dict[str, tf.Tensor]:
        """P(head | click), float32 [rows, 1], by name.

        Args:
            logits: All that the ranker's last layer puts out, [rows, 1 + heads].
            features: Of `recsys.models.intent.Intent.features`, [rows, features]; None: there are none.
        """
        found = {}
        for at, name in enumerate(HEADS):
            logit = column(logits, 1 + at) * float(self.weights[at, 0]) + float(self.offset[at])
            if features is not None:
                logit += tf.matmul(features, self.weights[at, 1:, None])
            found[name] = tf.sigmoid(logit)
        return found

    def log_worth(self, chances: dict[str, tf.Tensor]) -> tf.Tensor:
        """Logarithm of how many plain clicks a click is worth, [rows, 1]."""
        terms = [value * chances[name] for name, value in zip(HEADS, self.values, strict=True) if value > 0]
        return tf.math.log(tf.add_n(terms) + 1.0)


def column(logits: tf.Tensor, at: int) -> tf.Tensor:
    """One column, [rows, 1], by a product with a constant: `recsys.release.dlrm_rewrite` knows no slices."""
    picks = np.zeros((logits.shape[-1], 1), np.float32)
    picks[at] = 1
    return tf.matmul(logits, picks)


def fit(
    logits: np.ndarray, features: np.ndarray | None, event: np.ndarray, values: tuple[float, ...]
) -> Heads:
    """Calibrates on clicks that nothing was trained on: a logistic regression (Platt, 1999) for each head.

    Args:
        logits: Of the heads, float [rows, heads].
        features: As for `Heads.chances`, [rows, features].
        event: Of the rows, int [rows].
        values: Of `Heads`.

    Returns:
        The heads; one with too few rows of either kind is as it was trained.
    """
    target = labels(event, len(logits))
    extra = np.empty((len(logits), 0)) if features is None else features
    weights = np.zeros((len(HEADS), 1 + extra.shape[1]), np.float32)
    weights[:, 0] = 1
    offset = np.zeros(len(HEADS), np.float32)
    for at in range(len(HEADS)):
        known = np.isfinite(target[:, at])
        own = target[known, at].astype(np.float64)
        if min(own.sum(), len(own) - own.sum()) >= _LEAST:
            x = np.column_stack([logits[known, at], extra[known]]).astype(np.float64)
            weights[at], offset[at] = _logistic(x, own)
    return Heads(weights, offset, values)


def _logistic(x: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights and offset; the columns are scaled while they are fitted, and weights kept small there."""
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-6
    scaled = np.column_stack([(x - mean) / deviation, np.ones(len(x))])
    small = np.append(np.full(x.shape[1], _RIDGE), 0)

    def objective(line: np.ndarray) -> tuple[float, np.ndarray]:
        logit = scaled @ line
        slack = 1 / (1 + np.exp(-np.clip(logit, -500, 500))) - target
        value = float(np.sum(np.logaddexp(0, logit) - target * logit) + 0.5 * small @ line**2)
        return value, slack @ scaled + small * line

    start = np.append(np.zeros(x.shape[1]), np.log(target.mean() / (1 - target.mean())))
    line = minimize(objective, start, jac=True, method="L-BFGS-B").x
    weights = line[:-1] / deviation
    return weights, float(line[-1] - weights @ mean)
