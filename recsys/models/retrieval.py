"""How the two-tower model learns: its steps, its loss and its validation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import merlin.models.tf as mm
import numpy as np
import tensorflow as tf

from recsys.models import blocks, metrics
from recsys.models.candidates import CandidatePools, Pool
from recsys.models.columns import Features
from recsys.models.examples import Catalogue, Examples
from recsys.models.fit import History, Progress, fit
from recsys.models.history import ClickHistory
from recsys.models.parallel import ALONE, Workers
from recsys.models.session_query import SessionHistory, SessionQuery
from recsys.models.visit_prior import VisitPrior
from recsys.settings import TrainingSettings

ROWS_AT_ONCE = 4_096
"""Rows embedded or scored at a time."""


class RetrievalTrainer:
    """Draws each step's candidates and takes the steps.

    Args:
        model: An untrained two-tower model; gets trained in place.
        history: Derives a part of the user embedding from the user's clicks; None: it is all free.
        catalogue: All items.
        examples: Clicks to train on.
        settings: Recipe and seed.
        workers: Who else trains it.
    """

    def __init__(
        self,
        model: mm.RetrievalModelV2,
        history: ClickHistory | None,
        catalogue: Catalogue,
        examples: Examples,
        settings: TrainingSettings,
        *,
        workers: Workers = ALONE,
    ) -> None:
        self._settings, self._workers = settings.retrieval, workers
        self._rng = np.random.default_rng(settings.seed)
        self._query, self._candidate = model.query_encoder, model.candidate_encoder
        self._history = history
        self._catalogue, self._examples = catalogue, examples
        self._items = {name: tf.constant(column) for name, column in catalogue.inputs.items()}
        self._pools = CandidatePools(
            np.bincount(examples.item, minlength=len(catalogue)),
            self._settings.whole_catalogue,
            self._settings.uniform_negatives,
            corrected=self._settings.log_q,
        )
        embed(
            self._query, examples.take(np.arange(1)).inputs
        )  # builds it: training calls its blocks one by one
        self._optimizer = tf.keras.optimizers.legacy.Adam()
        self._step = tf.function(self._train_step, reduce_retracing=True, autograph=False)

    def make_ready(self) -> None:
        """Makes the optimiser's variables of a built model.

        Made within the first step, they have it traced twice, which takes seconds.
        """
        self._optimizer._create_all_weights(self._variables())  # there is no public way

    def run(self, held: Examples, progress: Progress) -> History:
        """Trains; the model ends with the weights of the best epoch, its user embeddings complete."""
        history = fit(
            self,
            len(self._examples),
            prepare=self._gather,
            step=self._one,
            validate=lambda: self._workers.agreed(self._validate(held)),
            monitor="hit@300",
            settings=self._settings,
            rng=self._rng,
            progress=progress,
        )
        if isinstance(self._history, SessionHistory) and len(held):
            history[-1] |= self._settle(self._history, held)
        self._complete()
        return history

    def get_weights(self) -> list[np.ndarray]:
        """All that is trained, for `fit` to keep."""
        return [variable.numpy() for variable in self._variables()]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Puts back what `get_weights` gave."""
        for variable, value in zip(self._variables(), weights, strict=True):
            variable.assign(value)

    def _variables(self) -> list[tf.Variable]:
        trained = [self._query, self._candidate, *([] if self._history is None else [self._history])]
        return [variable for part in trained for variable in part.trainable_variables]

    def _complete(self) -> None:
        """Adds what the clicks say to the user embedding, so that it needs no clicks any more."""
        if self._history is not None:
            blocks.embedding_tables(self._query)["user_id"].assign_add(self._history.sums())

    @contextmanager
    def _completed(self) -> Iterator[None]:
        table = blocks.embedding_tables(self._query)["user_id"]
        free = table.numpy()
        self._complete()
        try:
            yield
        finally:
            table.assign(free)

    def _settle(self, clicks: SessionHistory, held: Examples) -> dict[str, float]:
        """Lets rows held out say what a visit means; returns what they said."""
        category = self._catalogue.inputs.get("category_l1")  # None: a fine-tuning, which inherits the prior

        def prior(tower: SessionQuery) -> VisitPrior:
            users = embed(tower, held.looking_back().inputs)
            items = embed(self._candidate, self._catalogue.inputs)
            return VisitPrior.of(items, cast("np.ndarray", category)[:, 0], users.mean(axis=0))

        with self._completed():
            clicks.settle(
                self._query,
                held,
                lambda tower: self._metrics(tower, held)["ndcg@10"],
                None if category is None else prior,
            )
        return {"gain": clicks.gain, "prior": float(clicks.prior is not None)}

    def _validate(self, held: Examples) -> dict[str, float]:
        if not len(held):
            return {}
        with self._completed():
            query = self._query if self._history is None else self._history.tower(self._query)
            return self._metrics(query, held)

    def _metrics(self, query: Any, held: Examples) -> dict[str, float]:
        return metrics.summary(retrieval_ranks(query, self._candidate, self._catalogue, held))

    def _gather(self, batch: np.ndarray) -> tuple[Features, np.ndarray, Pool]:
        """A batch's inputs and items, this worker's share of them, and its candidates."""
        rows = self._examples.take(batch)
        pool = self._pools.draw(rows.item, self._rng)
        inputs = rows.inputs if self._history is None else self._history.inputs(rows, self._rng)
        share = self._workers.share
        pool = replace(pool, positive=share(pool.positive))
        return {name: share(column) for name, column in inputs.items()}, share(rows.item), pool

    def _one(self, batch: tuple[Features, np.ndarray, Pool], rate: float) -> tf.Tensor:
        self._optimizer.learning_rate = rate
        inputs, item, pool = batch
        return self._step(
            {name: tf.constant(column) for name, column in inputs.items()},
            tf.constant(item),
            tf.constant(pool.items),
            tf.constant(pool.log_inclusion),
            tf.constant(pool.positive),
        )

    def _train_step(
        self,
        inputs: dict[str, tf.Tensor],
        own: tf.Tensor,
        items: tf.Tensor,
        log_inclusion: tf.Tensor,
        positive: tf.Tensor,
    ) -> tf.Tensor:
        candidates = {name: tf.gather(column, items) for name, column in self._items.items()}
        with tf.GradientTape() as tape:
            query = self._embed(inputs, own)
            logits = tf.matmul(query, self._candidate(candidates, training=True), transpose_b=True)
            loss = contrastive_loss(logits, log_inclusion, positive)
        variables = self._variables()
        gradients = self._workers.summed(tape.gradient(loss, variables), tf.size(own))
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    def _embed(self, inputs: dict[str, tf.Tensor], own: tf.Tensor) -> tf.Tensor:
        """The query tower, what the user's other clicks say added to the user embedding."""
        if self._history is None:
            return self._query(inputs, training=True)
        return self._history.embed(self._query, inputs, own, training=True)


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


def input_names(tower: Any) -> list[str]:
    """Names of the columns that a tower reads."""
    names: list[str] = tower.schema.column_names
    return names


def embed(encoder: mm.Encoder, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Runs a tower over any number of rows: float32 [rows, 64]."""
    names = input_names(encoder)
    rows = len(inputs[names[0]])
    parts = [
        encoder({name: tf.constant(inputs[name][at : at + ROWS_AT_ONCE]) for name in names}).numpy()
        for at in range(0, max(rows, 1), ROWS_AT_ONCE)
    ]
    return np.concatenate(parts)


def retrieval_ranks(
    query: mm.Encoder, candidate: mm.Encoder, catalogue: Catalogue, rows: Examples
) -> np.ndarray:
    """Rank of each row's item by exact search, int64 [rows]."""
    items = embed(candidate, catalogue.inputs)
    found = []
    for at in range(0, len(rows), ROWS_AT_ONCE):
        part = rows.take(np.arange(at, min(at + ROWS_AT_ONCE, len(rows))))
        if "recent_items" in input_names(query):
            part = part.looking_back()
        found.append(metrics.ranks(embed(query, part.inputs) @ items.T, part.item))
    return np.concatenate(found)
