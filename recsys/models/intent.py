"""What a user's newest clicks say about an item: the part of ranking that changes from click to click.

For each of three half-lives (a quarter of an hour, a day, two weeks), a click weighing 2^(-age / half-life):

* how many clicks were on the item's category (log of 1 + the weighted count),
* how like the item is to the mean click (inner product of the candidate tower's vectors),
* how far its price is from their mean price,
* and how many clicks there are at all.

A small network turns these into a number that is added to retrieval's score. It sees nothing else: for a
visitor without clicks all of it is one constant, and the order stays as it was; unless it is told how popular
the item is right now (`recsys.features.popularity`), too.

Everything that depends on the user alone is computed from the user's inputs alone, and meets the item in
inner products and element by element, so that `recsys.release.dlrm_rewrite` can compute it once a user.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import tensorflow as tf

from recsys import schema
from recsys.models.examples import Catalogue

Tensors = dict[str, tf.Tensor]

HALF_LIVES_H: Final = (0.25, 24.0, 336.0)
FEATURES: Final = 4 * len(HALF_LIVES_H)
_CATEGORIES: Final = 512
"""A finer category than this has too many codes to count clicks on."""

_FEW: Final = 1e-3
"""Weight of all clicks below which there are none worth a mean."""


class Intent(tf.Module):
    """Features of an item beside newest clicks, and the network over them; it begins as 0 everywhere.

    Args:
        catalogue: All items.
        vectors: The candidate tower's, float32 [n, 64].
        hidden: Width of the network's hidden layer.
        seed: Of its initial weights.
        half_life_s: Of the item's popularity, which one more feature says; 0: it is not told.
    """

    def __init__(
        self, catalogue: Catalogue, vectors: np.ndarray, hidden: int, seed: int, half_life_s: float = 0.0
    ) -> None:
        super().__init__(name="intent")
        self.category, self._codes = _category(catalogue)
        self._items = len(catalogue)
        # NumPy's, so that each graph holds them itself: an exporter does not follow a captured tensor.
        self._of_item = catalogue.inputs[self.category][:, 0].astype(np.int32)
        self._price = catalogue.inputs["price"].astype(np.float32)
        self._vectors = np.asarray(vectors, dtype=np.float32)
        rng = np.random.default_rng(seed)
        self.half_life_s = half_life_s
        self.popularity = half_life_s > 0
        size = FEATURES + self.popularity
        first = rng.normal(0, size**-0.5, (size, hidden)).astype(np.float32)
        self.first = tf.Variable(first, name="intent_first")
        self.bias = tf.Variable(np.zeros(hidden, np.float32), name="intent_bias")
        self.second = tf.Variable(np.zeros((hidden, 1), np.float32), name="intent_second")
        self.linear = tf.Variable(np.zeros((size, 1), np.float32), name="intent_linear")
        self.more = tf.Variable(0.0, name="intent_more")

    def __call__(self, inputs: Tensors, retrieved: tf.Tensor) -> tf.Tensor:
        """What to add to a ranker's logit, float32 [rows, 1].

        Args:
            inputs: `schema.RECENT_FEATURES`, the category and price of each row's item, `item_vector`
                [rows, 64], and `schema.ITEM_POPULARITY` where it is told.
            retrieved: Retrieval's score of the item, [rows, 1].
        """
        return self.added(self.features(self.user(inputs), inputs), retrieved)

    def added(self, features: tf.Tensor, retrieved: tf.Tensor) -> tf.Tensor:
        """As calling it, of `features` that are there already."""
        return self.more * retrieved + self.network(features)

    def network(self, features: tf.Tensor) -> tf.Tensor:
        """The network, [rows, 1], over features."""
        hidden = tf.nn.relu(tf.matmul(features, self.first) + self.bias)
        return tf.matmul(hidden, self.second) + tf.matmul(features, self.linear)

    def user(self, inputs: Tensors) -> Tensors:
        """What the clicks of each row's user come to, for each half-life.

        Args:
            inputs: recent_items int64 [rows, 50], recent_ages float32 [rows, 50].

        Returns:
            counts [rows, half-lives, codes], vectors [rows, half-lives, 64], prices and weights
            [rows, half-lives, 1].
        """
        items, ages = inputs["recent_items"], tf.maximum(inputs["recent_ages"], 0.0)
        there = (items >= 0) & (items < self._items)  # an item that came after the training says nothing
        known = tf.clip_by_value(items, 0, self._items - 1)
        halvings = ages[:, None, :] / tf.constant(HALF_LIVES_H, tf.float32)[None, :, None]
        weights = tf.pow(2.0, -halvings) * tf.cast(there, tf.float32)[:, None, :]
        total = tf.reduce_sum(weights, axis=2, keepdims=True)
        enough = tf.maximum(total, _FEW)
        codes = tf.one_hot(tf.gather(self._of_item, known), self._codes, dtype=tf.float32)
        return {
            "counts": tf.matmul(weights, codes),
            "vectors": tf.matmul(weights, tf.gather(self._vectors, known)) / enough,
            "prices": tf.matmul(weights, tf.gather(self._price, known)) / enough,
            "weights": total,
        }

    def features(self, user: Tensors, inputs: Tensors) -> tf.Tensor:
        """The features of each row's item, float32 [rows, `FEATURES` and its popularity].

        Args:
            user: Of `user`, for the same rows.
            inputs: As for a call.
        """
        code = tf.one_hot(inputs[self.category][:, 0], self._codes, dtype=tf.float32)
        found = []
        for at in range(len(HALF_LIVES_H)):
            total = user["weights"][:, at]
            any_clicks = tf.cast(total > _FEW, tf.float32)
            apart = tf.abs(inputs["price"] - user["prices"][:, at])
            found += [
                tf.math.log(_inner(user["counts"][:, at], code) + 1.0),
                _inner(user["vectors"][:, at], inputs["item_vector"]),
                apart * any_clicks,
                tf.math.log(total + 1.0),
            ]
        if self.popularity:
            found.append(inputs[schema.ITEM_POPULARITY])
        return tf.concat(found, axis=1)

    def fold(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Turns weights that were learned for (features - mean) / deviation into ones for the features.

        A constant that this adds to all items is left out.

        Args:
            mean: float [features].
            deviation: float [features], positive.
        """
        self.first.assign(self.first / deviation[:, None].astype(np.float32))
        self.bias.assign(self.bias - tf.linalg.matvec(self.first, mean.astype(np.float32), transpose_a=True))
        self.linear.assign(self.linear / deviation[:, None].astype(np.float32))

    @property
    def tables(self) -> list[np.ndarray]:
        """What it knows of the items, which is not learned: category, price [n, 1] and vector [n, 64]."""
        return [self._of_item, self._price, self._vectors]

    @property
    def weights(self) -> list[tf.Variable]:
        """Everything that is learned."""
        return [self.first, self.bias, self.second, self.linear, self.more]


def _inner(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(one * other, axis=1, keepdims=True)


def _category(catalogue: Catalogue) -> tuple[str, int]:
    """The finest category whose clicks can be counted, and its number of codes."""
    sizes: dict[str, Any] = {
        name: int(catalogue.inputs[name].max()) + 1 for name in ("category_l2", "category_l1")
    }
    name = next((name for name, size in sizes.items() if size <= _CATEGORIES), "category_l1")
    return name, sizes[name]


RECENT: Final = tuple(schema.RECENT_FEATURES)
