"""Merlin blocks that both models are made of."""

from __future__ import annotations

from typing import Final

import merlin.models.tf as mm
import numpy as np
import tensorflow as tf
from merlin.schema import Schema

from recsys.schema import EMBEDDING_DIM

LOGIT: Final = "logit"
"""Name of a ranker's last layer."""

_SPREAD: Final = 0.05
"""Standard deviation of a new embedding: small, so that a rare category starts near "says nothing"."""


def embeddings(
    categories: Schema, seed: int, width: int = EMBEDDING_DIM, aggregation: str | None = None
) -> mm.ParallelBlock:
    """An embedding table for each category.

    Args:
        categories: Categorical columns.
        seed: Of the initial values; each table has its own, as Keras would fill equal shapes alike.
        width: Of the embeddings.
        aggregation: How Merlin joins the looked-up vectors; None leaves them apart.
    """
    initial = {
        name: tf.keras.initializers.RandomNormal(stddev=_SPREAD, seed=seed + at)
        for at, name in enumerate(categories.column_names)
    }
    return mm.Embeddings(
        categories,
        dim=width,
        sequence_combiner=None,
        embeddings_initializer=initial,
        aggregation=aggregation,
    )


def embedding_tables(block: tf.Module) -> dict[str, tf.Variable]:
    """The embedding table of each category in a built block, float32 [codes, width]."""
    return {
        name: layer.table.embeddings
        for layer in block.submodules
        if isinstance(layer, mm.EmbeddingTable)
        for name in layer.features
    }


def scale_logit(model: tf.Module, share: float) -> None:
    """Multiplies a ranker's first output, the click's, by scaling its last layer in place."""
    (last,) = (layer for layer in model.submodules if layer.name == LOGIT)
    for variable in last.trainable_variables:
        by = np.ones(variable.shape[-1], np.float32)
        by[0] = share
        variable.assign(variable * by)


def network(hidden: tuple[int, ...], width: int) -> tf.keras.layers.Layer:
    """Dense layers with ReLU, then a linear one of `width`."""
    return mm.MLPBlock([*hidden, width], no_activation_last_layer=True)
