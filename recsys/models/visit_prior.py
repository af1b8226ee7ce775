"""Where visits are too rare to learn from: what several quick clicks in one category say, as a prior.

A user's past and the items' popularity weigh so much that a few clicks in a small or unpopular category leave
no trace among the ten shown. The prior moves the user's embedding just so far towards the category that its
best items stand level with the best of any other; it moves nobody whose embedding is that far already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import tensorflow as tf

from recsys import schema

Tensors = dict[str, tf.Tensor]

VISIT_H: Final = 0.5
"""Hours after which a click counts for a third of its part in a visit."""

_SURE: Final = 3.0
"""Simultaneous clicks in a category from which on the visit is about it for sure; one says nothing."""

_BEST: Final = 5
"""A category is represented by so many items, those with the greatest score of the mean user."""

_MARGIN: Final = 1.0
"""By how much a category's best are to score above those of any other, in nats."""

_RIDGE: Final = 0.05
"""Share of the mean variance that is added to each direction's."""

_LEAST_GIVE: Final = 0.25
"""A step towards a category lifts the mean of its items by 1; one that hardly lifts its best ends early."""

_CODES: Final = 512
"""A finer category than this has too many codes to count clicks on."""


@dataclass(frozen=True)
class VisitPrior:
    """Tables that say how to move a user's embedding towards a category.

    Attributes:
        category: Code of each item, int32 [n].
        directions: The shortest way to a category, float32 [codes, 64]: one step lifts the mean score of its
            items by 1 above the catalogue's, and their spread and the other items' as little as can be.
        best: Mean embedding of a category's best items, [codes, 64].
        present: 1 where a code has items, else 0, float32 [codes].
    """

    category: np.ndarray
    directions: np.ndarray
    best: np.ndarray
    present: np.ndarray

    @classmethod
    def none(cls, items: int) -> VisitPrior:
        """One that moves nobody."""
        empty = np.zeros((1, schema.EMBEDDING_DIM), np.float32)
        return cls(np.zeros(items, np.int32), empty, empty, np.zeros(1, np.float32))

    @classmethod
    def of(cls, items: np.ndarray, category: np.ndarray, user: np.ndarray) -> VisitPrior:
        """Finds the directions: Fisher's linear discriminant of each category against the rest.

        Source: Fisher, "The use of multiple measurements in taxonomic problems", 1936, with a ridge.

        Args:
            items: Embeddings of the catalogue, float32 [n, 64].
            category: Code of each item, int [n].
            user: Mean embedding of users, float32 [64].

        Returns:
            The prior; one that moves nobody where there is only one category, or too many to count.
        """
        codes, place, sizes = np.unique(category, return_inverse=True, return_counts=True)
        if len(codes) < 2 or codes[-1] >= _CODES:
            return cls.none(len(items))
        width = items.shape[1]
        sums = np.zeros((len(codes), width))
        np.add.at(sums, place, items)
        means = sums / sizes[:, None]
        apart = means - items.mean(axis=0)
        within = items - means[place]
        spread = within.T @ within / len(items)
        spread += (_RIDGE * np.trace(spread) / width + 1e-6) * np.eye(width)
        way = np.linalg.solve(spread, apart.T).T
        way /= np.maximum(np.sum(way * apart, axis=1, keepdims=True), 1e-6)
        scores = items @ user
        order = np.lexsort((-scores, place))
        firsts = np.concatenate([[0], np.cumsum(sizes)])
        best = np.array([items[order[at : min(at + _BEST, end)]].mean(axis=0) for at, end in _pairs(firsts)])
        tables = np.zeros((2, codes[-1] + 1, width), np.float32)
        tables[:, codes] = way, best
        present = np.zeros(codes[-1] + 1, np.float32)
        present[codes] = 1.0
        return cls(category.astype(np.int32), tables[0], tables[1], present)

    def with_categories(self, category: np.ndarray) -> VisitPrior:
        """The same for a catalogue that has grown.

        Args:
            category: Code of each item, int [n]; those that were not there before say nothing.
        """
        known = np.where(category < len(self.present), category, 0).astype(np.int32)
        return replace(self, category=known)


class VisitShift(tf.Module):
    """The prior as it is served.

    Args:
        prior: Its tables.
    """

    def __init__(self, prior: VisitPrior) -> None:
        super().__init__(name="visit_prior")
        self._tables = {
            name: tf.Variable(table, trainable=False, name=f"visit_{name}")
            for name, table in vars(prior).items()
        }

    @property
    def tables(self) -> list[tf.Variable]:
        """In the order of `VisitPrior`."""
        return list(self._tables.values())

    def __call__(self, users: tf.Tensor, items: tf.Tensor, near: tf.Tensor) -> tf.Tensor:
        """Moves users towards the category that their visit is about.

        Args:
            users: Embeddings, float32 [B, 64].
            items: Indexes of the newest clicks' items, [B, L].
            near: How much each click belongs to the visit, 0 to 1, float32 [B, L]; 0 where there is none.

        Returns:
            float32 [B, 64].
        """
        directions, best, present = (self._tables[name] for name in ("directions", "best", "present"))
        codes = tf.one_hot(tf.gather(self._tables["category"], items), present.shape[0], dtype=tf.float32)
        clicks = tf.einsum("bl,blc->bc", near, codes)
        about = tf.argmax(clicks, axis=1)
        count = tf.reduce_max(clicks, axis=1, keepdims=True)
        sure = tf.clip_by_value((count - 1.0) / (_SURE - 1.0), 0.0, 1.0)
        way, own = tf.gather(directions, about), tf.gather(best, about)
        behind = tf.matmul(users, best, transpose_b=True) - _inner(users, own) + _MARGIN
        lifted = _inner(way, own) - tf.matmul(way, best, transpose_b=True)
        others = (1.0 - tf.one_hot(about, present.shape[0])) * present
        steps = tf.reduce_max(others * behind / tf.maximum(lifted, _LEAST_GIVE), axis=1, keepdims=True)
        # Where the category itself is unknown its way is of length 0.
        return users + sure * tf.maximum(steps, 0.0) * way


def visit_weights(ages: Any, there: tf.Tensor) -> tf.Tensor:
    """How much each click belongs to a visit that goes on: float32 [B, L].

    Args:
        ages: Hours since each click, [B, L].
        there: Which of them are clicks, bool or float [B, L].
    """
    return tf.cast(there, tf.float32) * tf.exp(-tf.maximum(ages, 0.0) / VISIT_H)


def _inner(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(one * other, axis=1, keepdims=True)


def _pairs(edges: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
