"""Fits what the newest clicks say, on rows that retrieval has never seen.

On the rows that it was trained on retrieval is far better than it will be tomorrow (synthetic shop: hit@10
.73 there, .33 on the next days), so a ranker that learns from those rows learns to trust it and that nothing
else matters. The rows held out are few, but so are these weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf

from recsys.models import metrics
from recsys.models.intent import Intent
from recsys.models.ranking import log_likelihood

_STEPS: Final = (100, 300, 800)
_BATCH: Final = 128
_RATE: Final = 0.01
_DECAY: Final = 1e-4
_JUDGED: Final = 0.25
_LEAST: Final = 100
"""Lists below which nothing is fitted."""


@dataclass(frozen=True)
class Lists:
    """What rows held out would be shown, and what was clicked of it.

    Attributes:
        retrieved: Retrieval's scores, float32 [rows, K].
        fixed: The rest of the score, which is not changed, [rows, K].
        features: Of `Intent.features`, [rows, K, features].
        column: Where the click is, int64 [rows]; -1: not retrieved.
        user: Whose row it is, int64 [rows].
    """

    retrieved: np.ndarray
    fixed: np.ndarray
    features: np.ndarray
    column: np.ndarray
    user: np.ndarray

    def take(self, rows: np.ndarray) -> Lists:
        """Some of the rows."""
        return Lists(*(column[rows] for column in vars(self).values()))


def fit_intent(intent: Intent, lists: Lists, seed: int) -> dict[str, float]:
    """Trains an `Intent` in place; it stays 0 where it makes rows of other users no likelier.

    A quarter of the users judge how long to train; then it is trained that long on all.

    Args:
        intent: Untrained.
        lists: Of rows that retrieval was not trained on.
        seed: Of the split and the order of rows.

    Returns:
        Metrics of the judged rows, `intent_steps`, and `intent_gain`: what the judged rows' mean
        log-likelihood gained.
    """
    lists = lists.take(np.flatnonzero(lists.column >= 0))
    if len(lists.column) < _LEAST:
        return {"intent_steps": 0.0, "intent_gain": 0.0}
    rng = np.random.default_rng(seed)
    users = np.unique(lists.user)
    judges = np.isin(lists.user, rng.permutation(users)[: max(1, int(len(users) * _JUDGED))])
    untrained = [variable.numpy() for variable in intent.weights]
    mean, deviation = _scale(lists.features)
    standard = Lists(**{**vars(lists), "features": (lists.features - mean) / deviation})
    before = log_likelihood(score(intent, standard.take(judges)), lists.column[judges])
    found = {}
    for steps in _STEPS:
        _restore(intent, untrained)
        _train(intent, standard.take(~judges), steps, seed)
        judged = score(intent, standard.take(judges))
        found[steps] = (log_likelihood(judged, lists.column[judges]) - before, judged)
    best = max(found, key=lambda steps: found[steps][0])
    gain, judged = found[best]
    _restore(intent, untrained)
    if gain <= 0:
        return {"intent_steps": 0.0, "intent_gain": 0.0}
    _train(intent, standard, best, seed)
    intent.fold(mean, deviation)
    ranks = metrics.ranks(judged, lists.column[judges])
    return {**metrics.summary(ranks), "intent_steps": float(best), "intent_gain": gain}


def score(intent: Intent, lists: Lists) -> np.ndarray:
    """The whole score of lists, float32 [rows, K]."""
    rows, width, size = lists.features.shape
    added = intent.network(tf.constant(lists.features.reshape(-1, size), tf.float32)).numpy()
    total: np.ndarray = lists.retrieved * (1 + intent.more.numpy()) + lists.fixed + added.reshape(rows, width)
    return total


def _scale(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = features.reshape(-1, features.shape[-1])
    return flat.mean(axis=0), flat.std(axis=0) + 1e-3


def _restore(intent: Intent, weights: list[np.ndarray]) -> None:
    for variable, value in zip(intent.weights, weights, strict=True):
        variable.assign(value)


def _train(intent: Intent, lists: Lists, steps: int, seed: int) -> None:
    optimizer = tf.keras.optimizers.legacy.Adam(_RATE)
    rng = np.random.default_rng(seed)
    size = lists.features.shape[-1]

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]  # TF is untyped
    def step(retrieved: tf.Tensor, fixed: tf.Tensor, features: tf.Tensor, column: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            added = intent.network(tf.reshape(features, [-1, size]))
            scores = retrieved * (1 + intent.more) + fixed + tf.reshape(added, tf.shape(retrieved))
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=column, logits=scores)
            )
            loss += _DECAY * tf.add_n([tf.nn.l2_loss(each) for each in intent.weights])
        gradients = tape.gradient(loss, intent.weights)
        optimizer.apply_gradients(zip(gradients, intent.weights, strict=True))

    for number in range(steps):
        optimizer.learning_rate = _RATE * (1 - number / steps)
        rows = rng.integers(len(lists.column), size=_BATCH)
        step(
            tf.constant(lists.retrieved[rows], tf.float32),
            tf.constant(lists.fixed[rows], tf.float32),
            tf.constant(lists.features[rows], tf.float32),
            tf.constant(lists.column[rows]),
        )
