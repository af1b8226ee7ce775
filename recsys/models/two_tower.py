"""Retrieval: Merlin's two-tower model, trained with a softmax over the catalogue.

Why it retrieves better than the recipe it is named after (in-batch negatives, as published):

* Its scores are corrected for how often an item is a negative, or need no correction because the whole
  catalogue is compared (see `recsys.models.candidates`): they rank p(item | user), not its ratio to the
  item's popularity.
* It has enough steps (`recsys.models.recipe`), at a rate that decays.
* Each tower is a sum of feature embeddings plus a small residual network. The sum is matrix factorisation
  with side information: a rare item leans on its category's vectors, a new user on age and context, at once;
  the network adds what the sum cannot say.
* The context-aware query tower knows device, hour and weekday, so what sells in the evening on mobiles is
  among the candidates in the evening on mobiles.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import merlin.models.tf as mm
import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.schema import Schema, Tags

from recsys import schema
from recsys.features.workflows import Workflows
from recsys.models import blocks, metrics
from recsys.models.candidates import CandidatePools, Pool
from recsys.models.columns import Features, columns
from recsys.models.examples import Catalogue, Examples, hold_out
from recsys.models.fit import History, Progress, fit
from recsys.settings import RetrievalSettings, TrainingSettings, get_settings

_ROWS_AT_ONCE = 4_096


@dataclass(frozen=True)
class TwoTower:
    """A trained two-tower model.

    Attributes:
        model: Merlin's `RetrievalModelV2`.
        history: How each epoch went; see `recsys.models.fit.History`.
    """

    model: mm.RetrievalModelV2
    history: History = field(default_factory=list)

    @property
    def query(self) -> mm.Encoder:
        """The query tower: user (and context) features to float32 [rows, 64]."""
        return self.model.query_encoder

    @property
    def candidate(self) -> mm.Encoder:
        """The candidate tower: item features and multimodal embeddings to float32 [rows, 64]."""
        return self.model.candidate_encoder

    def embed_items(self, catalogue: Catalogue) -> np.ndarray:
        """float32 [n, 64], in the catalogue's order."""
        return _embed(self.candidate, catalogue.inputs)

    def embed_users(self, inputs: Features) -> np.ndarray:
        """float32 [rows, 64]."""
        return _embed(self.query, inputs)


def query_features(settings: RetrievalSettings) -> dict[str, np.dtype]:
    """Inputs of the query tower."""
    if settings.query_tower == "static":
        return dict(schema.USER_FEATURES)
    return {**schema.USER_FEATURES, **schema.CONTEXT_FEATURES}


def build(workflows: Workflows, settings: RetrievalSettings, seed: int) -> mm.RetrievalModelV2:
    """Builds the untrained model.

    Args:
        workflows: Fitted; they say how many codes each category has.
        settings: Which features the query tower reads, and its width.
        seed: Of the initial weights.

    Returns:
        Merlin's `TwoTowerModelV2`, with in-batch contrastive output; `train` brings its own candidates.
    """
    tf.keras.utils.set_random_seed(seed)
    query = _tower(columns(workflows, query_features(settings)), settings.hidden, settings.dropout, seed)
    item_columns = columns(workflows, (*schema.ITEM_FEATURES, *schema.EMBEDDING_FEATURES))
    candidate = _tower(item_columns, settings.hidden, 0.0, seed + 100)
    return mm.TwoTowerModelV2(query, candidate)


def train(
    rows: pd.DataFrame,
    catalogue: Catalogue,
    workflows: Workflows,
    settings: TrainingSettings | None = None,
    progress: Progress = lambda *_: None,
) -> TwoTower:
    """Trains retrieval on the clicked rows.

    Args:
        rows: Raw training rows, of `recsys.features.training.training_rows`.
        catalogue: All items.
        workflows: The fitted workflows.
        settings: Recipe and seed; the process's by default.
        progress: Told in a line how each epoch went.

    Returns:
        The model of the epoch that was best on the rows held out.
    """
    settings = settings or get_settings().training
    clicked = rows[rows["click"] == 1] if "click" in rows else rows
    examples = Examples.build(clicked, catalogue, workflows)
    kept, held = hold_out(examples, settings.validation_share, settings.validation_rows, settings.seed)
    trainer = _Trainer(build(workflows, settings.retrieval, settings.seed), catalogue, kept, settings)
    return trainer.run(held, progress)


class _Trainer:
    """Draws each step's candidates and takes the step."""

    def __init__(
        self, model: mm.RetrievalModelV2, catalogue: Catalogue, examples: Examples, settings: TrainingSettings
    ) -> None:
        self._settings = settings.retrieval
        self._rng = np.random.default_rng(settings.seed)
        self._catalogue = catalogue
        self._items = {name: tf.constant(column) for name, column in catalogue.inputs.items()}
        self._names = list(query_features(self._settings))
        self._examples = examples
        self._model = model
        popularity = np.bincount(examples.item, minlength=len(catalogue))
        self._pools = CandidatePools(
            popularity, self._settings.whole_catalogue, self._settings.uniform_negatives
        )
        self._optimizer = tf.keras.optimizers.legacy.Adam()
        self._step = tf.function(self._train_step, reduce_retracing=True, autograph=False)

    def run(self, held: Examples, progress: Progress) -> TwoTower:
        """Trains; the model is that of the best epoch."""
        history = fit(
            self._model,
            len(self._examples),
            step=self._one,
            validate=lambda: validate(TwoTower(self._model), self._catalogue, held) if len(held) else {},
            monitor="hit@300",
            settings=self._settings,
            rng=self._rng,
            progress=progress,
        )
        return TwoTower(self._model, history)

    def _one(self, batch: np.ndarray, rate: float) -> tf.Tensor:
        self._optimizer.learning_rate = rate
        pool = self._pools.draw(self._examples.item[batch], self._rng)
        inputs = {name: tf.constant(self._examples.inputs[name][batch]) for name in self._names}
        return self._step(inputs, *_tensors(pool))

    def _train_step(
        self, inputs: dict[str, tf.Tensor], items: tf.Tensor, log_inclusion: tf.Tensor, positive: tf.Tensor
    ) -> tf.Tensor:
        candidates = {name: tf.gather(column, items) for name, column in self._items.items()}
        query, candidate = self._model.query_encoder, self._model.candidate_encoder
        with tf.GradientTape() as tape:
            embedding = query(inputs, training=True)
            logits = tf.matmul(embedding, candidate(candidates, training=True), transpose_b=True)
            loss = contrastive_loss(logits, log_inclusion, positive)
        variables = query.trainable_variables + candidate.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss


def contrastive_loss(logits: tf.Tensor, log_inclusion: tf.Tensor, positive: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each row's own item among the candidates.

    Args:
        logits: float32 [B, C].
        log_inclusion: Log of the chance that a candidate is one, float32 [C].
        positive: Column of each row's item, int64 [B].

    Returns:
        float32 scalar, in nats.
    """
    corrected = logits - log_inclusion[None, :]
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(positive, corrected))


def validate(tower: TwoTower, catalogue: Catalogue, held: Examples) -> dict[str, float]:
    """Metrics of retrieval by exact search on some examples; see `recsys.models.metrics.summary`."""
    items = tower.embed_items(catalogue)
    found = []
    for at in range(0, len(held), _ROWS_AT_ONCE):
        part = held.take(np.arange(at, min(at + _ROWS_AT_ONCE, len(held))))
        found.append(metrics.ranks(tower.embed_users(part.inputs) @ items.T, part.item))
    return metrics.summary(np.concatenate(found))


def _tower(inputs: Schema, hidden: int, dropout: float, seed: int) -> mm.Encoder:
    """Sum of each feature's 64-wide embedding, plus a residual network of it."""
    width = schema.EMBEDDING_DIM
    categories = inputs.select_by_tag(Tags.CATEGORICAL)
    branches = {"categorical": blocks.embeddings(categories, seed, aggregation="element-wise-sum")}
    numbers = inputs.select_by_tag(Tags.CONTINUOUS).excluding_by_tag(Tags.EMBEDDING)
    if numbers:
        branches["continuous"] = mm.ContinuousProjection(numbers, blocks.network((width,), width))
    pretrained = inputs.select_by_tag(Tags.EMBEDDING)
    if pretrained:
        branches["pretrained"] = mm.PretrainedEmbeddings(
            pretrained, output_dims=width, sequence_combiner=None, aggregation="element-wise-sum"
        )
    block = mm.ParallelBlock(branches, aggregation="element-wise-sum", is_input=True, schema=inputs)
    return mm.Encoder(
        block,
        mm.ResidualBlock(blocks.network((hidden,), width), activation=None),
        tf.keras.layers.Dropout(dropout),
    )


def _embed(encoder: mm.Encoder, inputs: Features) -> np.ndarray:
    names = encoder.schema.column_names
    rows = len(inputs[names[0]])
    parts = [
        encoder({name: tf.constant(inputs[name][at : at + _ROWS_AT_ONCE]) for name in names}).numpy()
        for at in range(0, rows, _ROWS_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, schema.EMBEDDING_DIM), np.float32)


def _tensors(pool: Pool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    return tf.constant(pool.items), tf.constant(pool.log_inclusion), tf.constant(pool.positive)
