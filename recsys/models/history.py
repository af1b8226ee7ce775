"""What users' clicks say about them: the part of the user embedding that is derived, not memorised."""

from __future__ import annotations

import merlin.models.tf as mm
import numpy as np
import tensorflow as tf

from recsys.models.examples import Catalogue, Examples

_FIRST_KNOWN: int = 3
"""Categorify's first code of a known user; padding, null and out-of-vocabulary have no history."""


class ClickHistory:
    """Sum of a vector for each of a user's clicks, over the square root of their number (SVD++: Koren, 2008).

    A user with a dozen clicks cannot fill 64 numbers of their own: the free embedding memorises them. Derived
    from the clicked items, whose vectors all users share, it is good after few clicks.
    In training a row's own click is left out, or the model would learn to point at what it is told. After
    training the sums are added to the user embedding's rows (`sums`), so what is served is a plain embedding
    table and knows nothing of histories.

    Args:
        encoder: Gives an item's vector, from the inputs of the candidate tower.
        catalogue: All items.
        examples: The clicks.
        users: Number of user codes.
        length: Newest clicks of a user that count, at most.
    """

    def __init__(
        self, encoder: mm.Encoder, catalogue: Catalogue, examples: Examples, users: int, length: int
    ) -> None:
        self.encoder = encoder
        self._items = {name: tf.constant(column) for name, column in catalogue.inputs.items()}
        self._nothing = len(catalogue)
        self._clicks = newest_clicks(examples, users, length, self._nothing)

    def pool(self, user: tf.Tensor, own: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        """Vectors of users.

        Args:
            user: User codes, int64 [B].
            own: Item index of each row's own click, int64 [B], left out once; None: nothing is left out.
            training: Whether gradients will be asked for.

        Returns:
            float32 [B, 64]; zero for a user without (other) clicks.
        """
        clicks = tf.gather(self._clicks, user)
        wanted, at = tf.unique(tf.reshape(clicks, [-1]))
        known = tf.minimum(wanted, self._nothing - 1)
        inputs = {name: tf.gather(column, known) for name, column in self._items.items()}
        is_item = tf.cast(wanted < self._nothing, tf.float32)[:, None]
        vectors = self.encoder(inputs, training=training) * is_item
        width = vectors.shape[1]
        vectors = tf.reshape(tf.gather(vectors, at), [-1, clicks.shape[1], width])
        counted = clicks < self._nothing
        if own is not None:
            counted &= ~first_match(clicks, own)
        weights = tf.cast(counted, tf.float32)
        count = tf.maximum(tf.reduce_sum(weights, axis=1, keepdims=True), 1.0)
        return tf.einsum("blw,bl->bw", vectors, weights) / tf.sqrt(count)

    def sums(self) -> np.ndarray:
        """Vectors of all users, float32 [users, 64]."""
        parts = [
            self.pool(tf.range(at, min(at + 4_096, len(self._clicks)), dtype=tf.int64)).numpy()
            for at in range(0, len(self._clicks), 4_096)
        ]
        return np.concatenate(parts)


def newest_clicks(examples: Examples, users: int, length: int, nothing: int) -> tf.Tensor:
    """Each user's newest clicks.

    Args:
        examples: Clicks in any order.
        users: Number of user codes.
        length: Clicks a user, at most.
        nothing: What fills a shorter history.

    Returns:
        Item indexes, int32 [users, length], newest first.
    """
    user = examples.inputs["user_id"][:, 0]
    order = np.lexsort((-examples.timestamp, user))
    order = order[user[order] >= _FIRST_KNOWN]
    grouped = user[order]
    position = np.arange(len(order)) - np.searchsorted(grouped, grouped)
    kept = position < length
    found = np.full((users, length), nothing, dtype=np.int32)
    found[grouped[kept], position[kept]] = examples.item[order[kept]]
    return tf.constant(found)


def first_match(clicks: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
    """Where a row's own item stands in its history for the first time, bool [B, length]."""
    same = clicks == tf.cast(own, clicks.dtype)[:, None]
    return same & (tf.cumsum(tf.cast(same, tf.int32), axis=1) == 1)
