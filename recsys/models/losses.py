"""What the ranker's scores are fitted to: which item is clicked next, and what was passed over."""

from __future__ import annotations

import tensorflow as tf

from recsys.models import negatives


def listwise(logits: tf.Tensor, correction: tf.Tensor, normalise: float = 0.1) -> tf.Tensor:
    """Cross-entropy of the click among all items, estimated from the drawn ones (sampled softmax).

    A softmax does not care about a constant; the second term makes it that constant for which the scores'
    exponentials average 1 over the catalogue (self-normalisation: Devlin et al., 2014). So a score says how
    many times likelier this item is clicked than one taken at random, as a logarithm.

    Args:
        logits: float32 [B, 1 + count], the click in column 0.
        correction: Of `recsys.models.negatives.draw`.
        normalise: Weight of the second term.
    """
    corrected = logits - correction
    cross_entropy = tf.reduce_logsumexp(corrected, axis=1) - corrected[:, 0]
    drawn = tf.math.count_nonzero(correction[:, 1:] < negatives.NEVER, axis=1, dtype=tf.float32)
    log_total = tf.reduce_logsumexp(corrected[:, 1:], axis=1) - tf.math.log(tf.maximum(drawn, 1.0))
    return tf.reduce_mean(cross_entropy + normalise * tf.square(tf.where(drawn > 0, log_total, 0.0)))


def exposure(clicked: tf.Tensor, passed_over: tf.Tensor, calibration: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of rows that were shown: clicked or passed over.

    Being clicked when shown is another question than being the next click of all, with a scale of its own,
    so the scores pass through a learned straight line first (Platt, 1999).

    Args:
        clicked: Scores of the rows clicked, float32 [B].
        passed_over: Scores of the rows not clicked, float32 [E].
        calibration: Slope and offset, float32 [2].
    """
    slope, offset = calibration[0], calibration[1]
    return tf.reduce_mean(tf.nn.softplus(-(slope * clicked + offset))) + tf.reduce_mean(
        tf.nn.softplus(slope * passed_over + offset)
    )
