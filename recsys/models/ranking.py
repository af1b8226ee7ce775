"""How the ranker learns: its steps and its validation."""

from __future__ import annotations

from typing import Final

import merlin.models.tf as mm
import numpy as np
import tensorflow as tf

from recsys import schema
from recsys.models import blocks, heads, losses, metrics, negatives
from recsys.models.examples import Catalogue, Examples
from recsys.models.fit import History, Progress, fit
from recsys.models.towers import Towers
from recsys.settings import TrainingSettings

Tensors = dict[str, tf.Tensor]
_LIST: Final = 300
"""Items a validation row is ranked among, as in serving."""

_SHARES: Final = (1.0, 0.5, 0.25, 0.0)
"""How much of the correction may be kept."""


class RankingTrainer:
    """Draws each click's negatives and takes the steps.

    Args:
        model: An untrained DLRM; gets trained in place.
        catalogue: All items.
        examples: Rows to train on.
        retrieval: The towers to correct; None: the model ranks alone.
        settings: Recipe and seed.

    Attributes:
        level: Log of the mean of exp(retrieval's score), over items and some rows; 0 without towers.
    """

    def __init__(
        self,
        model: mm.Model,
        catalogue: Catalogue,
        examples: Examples,
        retrieval: Towers | None,
        settings: TrainingSettings,
    ) -> None:
        self._settings = settings.ranking
        self._rng = np.random.default_rng(settings.seed)
        self._model, self._retrieval = model, retrieval
        self._heads = settings.ranking.head_loss > 0 and heads.are_there(examples.event)
        self._items = {name: tf.constant(column) for name, column in catalogue.inputs.items()}
        if retrieval is not None:
            examples = retrieval.readable(examples)
        clicked = examples.click == 1
        self._clicks, self._exposures = examples.take(clicked), examples.take(~clicked)
        counts = np.bincount(self._clicks.item, minlength=len(catalogue))
        self._popularity = tf.constant(counts, tf.float32)
        self._calibration = tf.Variable([1.0, 0.0], name="calibration")
        self.level = 0.0
        if retrieval is not None:
            some = self._clicks.take(self._rng.permutation(len(self._clicks))[:1_000])
            self.level = _level(retrieval.scores(tensors(some)))
        self._lists: ChainLists | None = None
        self._optimizer = tf.keras.optimizers.legacy.Adam()
        self._step = tf.function(self._train_step, reduce_retracing=True, autograph=False)

    def make_ready(self) -> None:
        """Makes the optimiser's variables of a built model.

        Made within the first step, they have it traced twice, which takes seconds.
        """
        self._optimizer._create_all_weights(self._variables())  # there is no public way

    def _variables(self) -> list[tf.Variable]:
        return [*self._model.trainable_variables, self._calibration]

    def run(self, held: Examples, progress: Progress) -> History:
        """Trains; the model ends with the weights of the best epoch, shrunk as far as `held` says."""
        history = fit(
            self._model,
            len(self._clicks),
            prepare=self._gather,
            step=self._one,
            validate=lambda: self._validate(held),
            monitor="log_likelihood",
            settings=self._settings,
            rng=self._rng,
            progress=progress,
        )
        if len(held) and self._retrieval is not None:
            self._shrink(self._retrieval, held, history)
        return history

    @property
    def lists(self) -> ChainLists | None:
        """Those of the rows held out once `run` has ended; None where nothing is, or without retrieval."""
        return self._lists

    def _shrink(self, retrieval: Towers, held: Examples, history: History) -> None:
        """Keeps that share of the correction with which the rows held out are likeliest."""
        values = [record["log_likelihood"] for record in history]
        if self._lists is None or values.index(max(values)) != len(values) - 1:
            self._lists = chain_lists(self._model, retrieval, self._items, held)
        lists = self._lists  # of the last epoch: made with the very weights that are kept
        found = {share: lists.log_likelihood(share) for share in _SHARES}
        best = max(found, key=lambda share: found[share])
        blocks.scale_logit(self._model, best)
        self._lists = lists.shrunk(best)
        history[-1] |= lists.metrics(best) | {"correction": best}

    def _validate(self, held: Examples) -> dict[str, float]:
        if not len(held) or self._retrieval is None:
            return {}
        self._lists = chain_lists(self._model, self._retrieval, self._items, held)
        return self._lists.metrics()

    def _gather(self, batch: np.ndarray) -> tuple[Examples, np.ndarray, Examples, np.ndarray]:
        """A batch's clicks, the seed of its negatives, what was passed over, and what the heads learn."""
        clicks = self._clicks.take(batch)
        seed = self._rng.integers(2**31, size=2)
        shown = self._draw_exposures(len(batch))
        target = heads.labels(clicks.event, len(batch)) if self._heads else np.zeros((0, 0), np.float32)
        return clicks, seed, shown, target

    def _one(self, batch: tuple[Examples, np.ndarray, Examples, np.ndarray], rate: float) -> tf.Tensor:
        self._optimizer.learning_rate = rate
        clicks, seed, shown, target = batch
        return self._step(
            tensors(clicks),
            tf.constant(clicks.item),
            tf.constant(seed, tf.int32),
            tensors(shown),
            tf.constant(shown.item),
            target,
        )

    def _draw_exposures(self, most: int) -> Examples:
        """As many rows that were shown and not clicked."""
        there = len(self._exposures)
        count = min(most, there)
        drawn = self._rng.choice(there, size=count, replace=False, shuffle=False) if count else np.arange(0)
        return self._exposures.take(drawn)

    def _train_step(  # noqa: PLR0917 - a row's parts, what it is ranked against, and what was passed over
        self,
        inputs: Tensors,
        positive: tf.Tensor,
        seed: tf.Tensor,
        shown: Tensors,
        shown_item: tf.Tensor,
        target: tf.Tensor,
    ) -> tf.Tensor:
        scores = None if self._retrieval is None else self._retrieval.scores(inputs)
        items, correction = self.negatives(scores, positive, seed)
        with tf.GradientTape() as tape:
            lists, others = self._logit(inputs, items, scores)
            loss = losses.listwise(lists, correction)
            if len(self._exposures):
                passed_over = self._logit(shown, shown_item[:, None])[0][:, 0]
                loss += losses.exposure(lists[:, 0], passed_over, self._calibration)
            if self._heads:
                loss += self._settings.head_loss * heads.loss(others[:, 0], target)
        variables = self._variables()
        pairs = zip(tape.gradient(loss, variables), variables, strict=True)
        self._optimizer.apply_gradients([(gradient, v) for gradient, v in pairs if gradient is not None])
        return loss

    def _logit(
        self, inputs: Tensors, items: tf.Tensor, scores: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Of items [B, K] of each row; `scores`, retrieval's of all items, if they are there already.

        Returns:
            The click's logits [B, K] and those of the heads [B, K, heads].
        """
        made = self._model(tile(inputs, self._items, items), training=True)
        logit, others = tf.reshape(made[:, 0], tf.shape(items)), made[:, 1:]
        others = tf.reshape(others, tf.concat([tf.shape(items), [others.shape[1]]], axis=0))
        if self._retrieval is None:
            return logit, others
        scores = self._retrieval.scores(inputs) if scores is None else scores
        return logit + tf.gather(scores, items, batch_dims=1) - self.level, others

    def negatives(
        self, scores: tf.Tensor | None, positive: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws what a batch is ranked against; see `recsys.models.negatives.draw`.

        Args:
            scores: Retrieval's, float32 [B, n]; None without towers.
            positive: Item index of each row's click, int64 [B].
            seed: int32 [2].
        """
        shares = (self._settings.retrieved_share, self._settings.popular_share, self._settings.uniform_share)
        proposal = negatives.mixture(scores, self._popularity, shares)
        proposal = tf.broadcast_to(proposal, [tf.size(positive), tf.size(self._popularity)])
        return negatives.draw(proposal, self._settings.negatives, positive, seed)


class ChainLists:
    """Lists as serving makes them: what retrieval found, with both scores.

    Args:
        retrieved: Retrieval's scores, float32 [rows, K], best first.
        correction: The DLRM's logits of the same items.
        column: Where the click is, int64 [rows]; -1: not retrieved.
        items: The items, item indexes [rows, K]; for whoever adds more to their scores.
    """

    def __init__(
        self,
        retrieved: np.ndarray,
        correction: np.ndarray,
        column: np.ndarray,
        items: np.ndarray | None = None,
    ) -> None:
        self.retrieved, self.correction, self.column = retrieved, correction, column
        self.items = np.empty((0, 0), np.int64) if items is None else items

    def shrunk(self, share: float) -> ChainLists:
        """What they become when that share of the correction is kept."""
        return ChainLists(self.retrieved, np.float32(share) * self.correction, self.column, self.items)

    def log_likelihood(self, share: float = 1.0) -> float:
        """Mean log-probability of the click in its list, over the lists that hold it; in nats."""
        there = self.column >= 0
        scores = (self.retrieved + share * self.correction)[there]
        return log_likelihood(scores, self.column[there]) if len(scores) else 0.0

    def metrics(self, share: float = 1.0) -> dict[str, float]:
        """Those of `recsys.models.metrics.summary`, and the log-likelihood."""
        ranks = metrics.ranks(self.retrieved + share * self.correction, self.column)
        return {**metrics.summary(ranks), "log_likelihood": self.log_likelihood(share)}


def chain_lists(model: mm.Model, retrieval: Towers, items: Tensors, rows: Examples) -> ChainLists:
    """Retrieves `_LIST` items for each row, all where there are fewer, and lets the DLRM score them.

    Args:
        model: The DLRM; its first output is the click's logit.
        retrieval: Frozen retrieval.
        items: Features of all items, [n, width].
        rows: Clicks.
    """
    score = tf.function(model, reduce_retracing=True, autograph=False)
    width = min(_LIST, len(retrieval.items))
    rows = retrieval.readable(rows)
    retrieved, correction, column, shown = [], [], [], []
    for at in range(0, len(rows), 64):
        part = rows.take(np.arange(at, min(at + 64, len(rows))))
        found = tf.math.top_k(retrieval.scores(tensors(part)), width)
        retrieved.append(found.values.numpy())
        shown.append(found.indices.numpy())
        logits = score(tile(tensors(part), items, found.indices))[:, 0]
        correction.append(tf.reshape(logits, tf.shape(found.indices)).numpy())
        is_click = shown[-1] == part.item[:, None]
        column.append(np.where(is_click.any(axis=1), is_click.argmax(axis=1), -1))
    return ChainLists(*map(np.concatenate, (retrieved, correction, column, shown)))


def log_likelihood(scores: np.ndarray, column: np.ndarray) -> float:
    """Mean log-probability of the click in its list; in nats.

    Args:
        scores: [rows, K], rows at least 1.
        column: Where the click is, int64 [rows], none -1.
    """
    given = scores.astype(np.float64)
    greatest = given.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(given - greatest).sum(axis=1)) + greatest[:, 0]
    return float(np.mean(given[np.arange(len(given)), column] - log_total))


def tensors(examples: Examples) -> Tensors:
    """The rows' features, and what else they hold for the towers."""
    return {name: tf.constant(column) for name, column in examples.inputs.items()}


def tile(inputs: Tensors, catalogue: Tensors, items: tf.Tensor) -> Tensors:
    """The ranker's inputs for some items of each row.

    Args:
        inputs: User and context features, [B, 1]; what else there is, is passed over.
        catalogue: Features of all items, [n, width].
        items: Item indexes [B, K].

    Returns:
        Each feature [B * K, width], row by row.
    """
    names = (*schema.USER_FEATURES, *schema.CONTEXT_FEATURES)
    rows = {name: tf.repeat(inputs[name], tf.shape(items)[1], axis=0) for name in names}
    flat = tf.reshape(items, [-1])
    return rows | {name: tf.gather(column, flat) for name, column in catalogue.items()}


def _level(scores: tf.Tensor) -> float:
    log_items = np.log(scores.shape[1])
    return float(tf.reduce_mean(tf.reduce_logsumexp(scores, axis=1)) - log_items)
