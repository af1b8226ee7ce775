"""Items to rank a click against: drawn for each row from a mixture whose probabilities are known."""

from __future__ import annotations

from typing import Final

import tensorflow as tf

NEVER: Final = 1e9
"""Correction of a draw that does not count: large enough to vanish from a softmax, and finite, so that its
gradient is no NaN."""


def draw(
    log_proposal: tf.Tensor, count: int, positive: tf.Tensor, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws negatives with replacement.

    Args:
        log_proposal: Log-probabilities of the items for each row, float32 [B, n], rows summing to 1.
        count: Negatives a row.
        positive: Item index of each row's click, int64 [B].
        seed: int32 [2].

    Returns:
        Item indexes int64 [B, 1 + count], the positive first, and the correction float32 [B, 1 + count] to
        subtract from their scores: the log of how many times likelier each one is to be drawn than if all
        were drawn alike; `NEVER` for a negative that is the positive.
    """
    drawn = tf.random.stateless_categorical(log_proposal, count, seed, dtype=tf.int64)
    items = tf.concat([positive[:, None], drawn], axis=1)
    log_items = tf.math.log(tf.cast(tf.shape(log_proposal)[1], tf.float32))
    correction = tf.gather(log_proposal, items, batch_dims=1) + log_items
    collides = tf.concat([tf.zeros_like(positive[:, None], tf.bool), drawn == positive[:, None]], axis=1)
    return items, tf.where(collides, NEVER, correction)


def mixture(scores: tf.Tensor | None, popularity: tf.Tensor, shares: tuple[float, float, float]) -> tf.Tensor:
    """Log-probabilities of drawing each item.

    Args:
        scores: Retrieval's scores, float32 [B, n]; None leaves its share to popularity.
        popularity: Clicks of each item, float32 [n].
        shares: Of what retrieval would show (softmax of its scores), of popularity (in-batch negatives are
            drawn like this) and of the whole catalogue alike; summing to 1.

    Returns:
        float32 [B, n], or [1, n] without scores.
    """
    retrieved, popular, alike = shares
    items = tf.cast(tf.shape(popularity)[0], tf.float32)
    base = popular * popularity / tf.reduce_sum(popularity) + alike / items
    if scores is None:
        base += retrieved * popularity / tf.reduce_sum(popularity)
        return tf.math.log(base)[None, :]
    return tf.math.log(retrieved * tf.nn.softmax(scores) + base[None, :])
