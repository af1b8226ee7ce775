"""Merlin blocks that both models are made of."""

from __future__ import annotations

import merlin.models.tf as mm
import tensorflow as tf
from merlin.schema import Schema

from recsys.schema import EMBEDDING_DIM

_SPREAD = 0.05
"""Standard deviation of a new embedding: small, so that a rare category starts near "says nothing"."""


def embeddings(categories: Schema, seed: int, aggregation: str | None = None) -> mm.ParallelBlock:
    """A 64-wide embedding table for each category.

    Args:
        categories: Categorical columns.
        seed: Of the initial values; each table has its own, as Keras would fill equal shapes alike.
        aggregation: How Merlin joins the looked-up vectors; None leaves them apart.
    """
    initial = {
        name: tf.keras.initializers.RandomNormal(stddev=_SPREAD, seed=seed + at)
        for at, name in enumerate(categories.column_names)
    }
    return mm.Embeddings(
        categories,
        dim=EMBEDDING_DIM,
        sequence_combiner=None,
        embeddings_initializer=initial,
        aggregation=aggregation,
    )


def embedding_tables(block: tf.Module) -> dict[str, tf.Variable]:
    """The embedding table of each category in a built block, float32 [codes, 64]."""
    return {
        name: layer.table.embeddings
        for layer in block.submodules
        if isinstance(layer, mm.EmbeddingTable)
        for name in layer.features
    }


def network(hidden: tuple[int, ...], width: int) -> tf.keras.layers.Layer:
    """Dense layers with ReLU, then a linear one of `width`."""
    return mm.MLPBlock([*hidden, width], no_activation_last_layer=True)
