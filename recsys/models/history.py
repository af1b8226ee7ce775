"""What users' clicks say about them: the part of the user embedding that is derived, not memorised."""

from __future__ import annotations

from typing import Any, Final

import merlin.models.tf as mm
import numpy as np
import tensorflow as tf

from recsys.models.columns import Features
from recsys.models.examples import FIRST_KNOWN_CODE, Catalogue, Examples

_USERS_AT_ONCE: Final = 4_096


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
        clicks: Each user's clicks that count, of `newest_clicks`.

    Attributes:
        encoder: As given.
        clicks: As given.
        moments: When each of them was, unix seconds, where that is known.
    """

    moments: tf.Tensor | None = None

    def __init__(self, encoder: mm.Encoder, catalogue: Catalogue, clicks: tf.Tensor) -> None:
        self.encoder = encoder
        self.clicks = clicks
        self._items = {name: tf.constant(column) for name, column in catalogue.inputs.items()}
        self._nothing = len(catalogue)

    def embed(
        self, query: mm.Encoder, inputs: dict[str, tf.Tensor], own: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Runs a query tower that lacks what the clicks say, and adds it, each row's own click left out.

        Args:
            query: Its first block sums the features' embeddings.
            inputs: User and context features, [B, 1].
            own: Item index of each row's own click, int64 [B].
            training: Whether it is a training step.

        Returns:
            float32 [B, 64].
        """
        clicks = tf.gather(self.clicks, inputs["user_id"][:, 0])
        others = (clicks < self._nothing) & ~first_match(clicks, own)
        embedding = feature_sum(query, inputs, training) + self.pooled(clicks, others, training)
        return finish(query, embedding, training)

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        """All that is trained beside the towers."""
        found: list[tf.Variable] = self.encoder.trainable_variables
        return found

    def inputs(self, rows: Examples, rng: np.random.Generator) -> Features:
        """What `embed` reads of a training batch."""
        del rng  # nothing is drawn here
        return rows.inputs

    def tower(self, query: mm.Encoder) -> Any:
        """The tower that is served, from one whose user embedding is complete: that tower itself."""
        return query

    def vectors(self) -> np.ndarray:
        """What a click on each item says, float32 [n, 64]."""
        found: np.ndarray = self.encoder(self._items).numpy()
        return found

    def sums(self) -> np.ndarray:
        """What the clicks of each user say, float32 [users, 64]; 0 for a user without."""
        found = []
        for at in range(0, len(self.clicks), _USERS_AT_ONCE):
            user = tf.range(at, min(at + _USERS_AT_ONCE, len(self.clicks)), dtype=tf.int64)
            clicks = tf.gather(self.clicks, user)
            found.append(self.pooled(clicks, clicks < self._nothing).numpy())
        return np.concatenate(found)

    def pooled(self, clicks: tf.Tensor, counted: tf.Tensor, training: bool = False) -> tf.Tensor:
        """What some clicks say together, float32 [B, 64].

        Args:
            clicks: Item indexes, int32 [B, length].
            counted: Which of them count, bool [B, length].
            training: Whether it is a training step.
        """
        return _pool(self.look_up(self.encoder, clicks, training), counted)

    def look_up(self, encoder: mm.Encoder, clicks: tf.Tensor, training: bool = False) -> tf.Tensor:
        """An encoder's vectors of clicked items, each item encoded once: float32 [B, length, width].

        Args:
            encoder: Gives an item's vector.
            clicks: Item indexes, int32 [B, length]; those that are none get any item's.
            training: Whether it is a training step.
        """
        items, at = tf.unique(tf.reshape(clicks, [-1]))
        known = tf.clip_by_value(items, 0, self._nothing - 1)
        inputs = {name: tf.gather(column, known) for name, column in self._items.items()}
        vectors = tf.gather(encoder(inputs, training=training), at)
        return tf.reshape(vectors, [-1, clicks.shape[1], vectors.shape[-1]])


def feature_sum(query: mm.Encoder, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
    """What a query tower's first block makes of the features, float32 [B, 64]."""
    named = {name: inputs[name] for name in query.schema.column_names}
    return query.blocks[0](named, training=training)


def finish(query: mm.Encoder, embedding: tf.Tensor, training: bool = False) -> tf.Tensor:
    """What a query tower's other blocks make of the first one's sum, float32 [B, 64]."""
    for block in query.blocks[1:]:
        embedding = block(embedding, training=training)
    return embedding


def _pool(vectors: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Sum over the clicks that count, over the square root of their number; 0 where none does."""
    weights = tf.cast(counted, tf.float32)
    count = tf.maximum(tf.reduce_sum(weights, axis=1, keepdims=True), 1.0)
    return tf.einsum("blw,bl->bw", vectors, weights) / tf.sqrt(count)


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
    return tf.constant(_newest(examples, users, length, examples.item.astype(np.int32), nothing))


def newest_moments(examples: Examples, users: int, length: int) -> tf.Tensor:
    """When each of the clicks of `newest_clicks` was: unix seconds, int64 [users, length]; 0 for none."""
    return tf.constant(_newest(examples, users, length, examples.timestamp, 0))


def _newest(examples: Examples, users: int, length: int, values: np.ndarray, nothing: int) -> np.ndarray:
    """A value of each user's newest rows, [users, length]."""
    user = examples.inputs["user_id"][:, 0]
    order = np.lexsort((-examples.timestamp, user))
    order = order[user[order] >= FIRST_KNOWN_CODE]
    grouped = user[order]
    position = np.arange(len(order)) - np.searchsorted(grouped, grouped)
    kept = position < length
    found = np.full((users, length), nothing, dtype=values.dtype)
    found[grouped[kept], position[kept]] = values[order[kept]]
    return found


def first_match(clicks: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
    """Where a row's own item stands in its history for the first time, bool [B, length]."""
    same = clicks == tf.cast(own, clicks.dtype)[:, None]
    return same & (tf.cumsum(tf.cast(same, tf.int32), axis=1) == 1)
