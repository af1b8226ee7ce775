"""What the clicks just before a request say: a small transformer encoder over the newest fifty."""

from __future__ import annotations

from typing import Final

import tensorflow as tf

from recsys import schema

_RECENCIES_H: Final = (0.02, 0.1, 1.0, 6.0, 24.0, 168.0)
"""Time scales, in hours, on which a click may have faded; from the next click of a session to last week."""

_NOWHERE: Final = -1e9


class SessionEncoder(tf.keras.layers.Layer):
    """Transformer encoder (Vaswani et al., 2017), layer normalisation first, over clicks and one reader.

    A click is its item's vector, its position from the newest and how long ago it was. The reader stands
    before them, starts from the user in their context (device, hour, weekday), and is what is read out: so
    the last layer is computed for the reader alone. Its output starts at zero, and is zero without clicks:
    a user who has not clicked is embedded as if there were no such encoder.

    Args:
        width: Of the vectors inside.
        heads: Of the attention; they share the width.
        layers: At least 1.
        dropout: Of each block's output, in training.
        seed: Of the initial weights.
    """

    def __init__(self, width: int, heads: int, layers: int, dropout: float, seed: int) -> None:
        super().__init__(name="session")
        seeds = iter(range(seed, seed + 100))
        self._age = _dense(width, next(seeds))
        self._position = tf.keras.layers.Embedding(
            schema.RECENT_CLICKS, width, embeddings_initializer=_normal(next(seeds))
        )
        self._reader = _dense(width, next(seeds))
        self._blocks = [_Block(width, heads, dropout, [next(seeds) for _ in range(6)]) for _ in range(layers)]
        self._norm = tf.keras.layers.LayerNormalization(epsilon=1e-6)
        self._out = tf.keras.layers.Dense(schema.EMBEDDING_DIM, kernel_initializer="zeros", use_bias=False)

    def call(
        self, vectors: tf.Tensor, ages: tf.Tensor, there: tf.Tensor, asker: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Reads the clicks.

        Args:
            vectors: Of the clicked items, newest first, float32 [B, L, width]; L <= 50.
            ages: Hours since each click, float32 [B, L].
            there: Which of them are clicks and no padding, bool [B, L].
            asker: The user in their context, float32 [B, 64].
            training: Whether it is a training step.

        Returns:
            float32 [B, 64].
        """
        position = self._position(tf.range(tf.shape(ages)[1]))
        clicks = vectors + self._age(_recency(ages)) + position[None]
        reader = self._reader(asker)[:, None]
        bias = tf.where(there, 0.0, _NOWHERE)
        bias = tf.pad(bias, [[0, 0], [1, 0]])[:, None, None, :]  # the reader always sees itself
        row = tf.concat([reader, clicks], axis=1)
        for block in self._blocks[:-1]:
            row = block(row, row, bias, training)
        read = self._blocks[-1](row[:, :1], row, bias, training)
        any_click = tf.cast(tf.reduce_any(there, axis=1, keepdims=True), tf.float32)
        return self._out(self._norm(read[:, 0])) * any_click


class _Block(tf.keras.layers.Layer):
    """Attention and a feed-forward network, each beside what comes in."""

    def __init__(self, width: int, heads: int, dropout: float, seeds: list[int]) -> None:
        super().__init__()
        self._heads, self._width = heads, width
        self._query, self._keys, self._values, self._joined = (_dense(width, seed) for seed in seeds[:4])
        self._wide = _dense(2 * width, seeds[4], activation="relu")
        self._narrow = _dense(width, seeds[5])
        self._norms = [tf.keras.layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]
        self._dropout = tf.keras.layers.Dropout(dropout, seed=seeds[0])

    def call(self, asking: tf.Tensor, row: tf.Tensor, bias: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[B, Q, width] of the positions that ask, which are the first ones of a row [B, L, width]."""
        seen = self._norms[0](row)
        query = self._split(self._query(seen[:, : tf.shape(asking)[1]]))
        keys, values = self._split(self._keys(seen)), self._split(self._values(seen))
        logits = tf.matmul(query, keys, transpose_b=True) * (self._width // self._heads) ** -0.5 + bias
        found = tf.transpose(tf.matmul(tf.nn.softmax(logits), values), [0, 2, 1, 3])
        found = tf.reshape(found, [tf.shape(found)[0], -1, self._width])
        asking += self._dropout(self._joined(found), training=training)
        further = self._narrow(self._wide(self._norms[1](asking)))
        return asking + self._dropout(further, training=training)

    def _split(self, vectors: tf.Tensor) -> tf.Tensor:
        """[B, L, width] to [B, heads, L, width / heads]."""
        shape = tf.shape(vectors)
        apart = tf.reshape(vectors, [shape[0], shape[1], self._heads, self._width // self._heads])
        return tf.transpose(apart, [0, 2, 1, 3])


def _recency(ages: tf.Tensor) -> tf.Tensor:
    """How fresh clicks are, float32 [B, L, scales + 1]: 1 at once, 1/e after each scale; and log hours."""
    ages = tf.maximum(ages, 0.0)
    scales = tf.constant(_RECENCIES_H, tf.float32)
    return tf.concat([tf.exp(-ages[..., None] / scales), tf.math.log(1.0 + ages)[..., None]], axis=-1)


def _dense(width: int, seed: int, activation: str | None = None) -> tf.keras.layers.Dense:
    initial = tf.keras.initializers.GlorotUniform(seed=seed)
    return tf.keras.layers.Dense(width, activation=activation, kernel_initializer=initial)


def _normal(seed: int) -> tf.keras.initializers.Initializer:
    return tf.keras.initializers.RandomNormal(stddev=0.05, seed=seed)
