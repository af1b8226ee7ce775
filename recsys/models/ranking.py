"""How the ranker learns: its steps, its loss and its validation."""

from __future__ import annotations

import merlin.models.tf as mm
import numpy as np
import tensorflow as tf

from recsys.models import metrics, negatives
from recsys.models.examples import Catalogue, Examples
from recsys.models.fit import History, Progress, fit
from recsys.models.towers import Towers
from recsys.settings import TrainingSettings

Tensors = dict[str, tf.Tensor]
_LIST = 300
"""Items a validation row is ranked among, as in serving."""


class RankingTrainer:
    """Draws each click's negatives and takes the steps.

    Args:
        model: An untrained ranker; gets trained in place.
        catalogue: All items.
        examples: Rows to train on.
        retrieval: The towers to learn against and to start from; None: neither.
        settings: Recipe and seed.
    """

    def __init__(
        self,
        model: mm.Model,
        catalogue: Catalogue,
        examples: Examples,
        retrieval: Towers | None,
        settings: TrainingSettings,
    ) -> None:
        from recsys.models.dlrm import warm_start

        self._settings = settings.ranking
        self._rng = np.random.default_rng(settings.seed)
        self._model, self._retrieval = model, retrieval
        self._items = {name: tf.constant(column) for name, column in catalogue.inputs.items()}
        clicked = examples.click == 1
        self._clicks, self._exposures = examples.take(clicked), examples.take(~clicked)
        counts = np.bincount(self._clicks.item, minlength=len(catalogue))
        self._popularity = tf.constant(counts, tf.float32)
        self._calibration = tf.Variable([1.0, 0.0], name="calibration")
        model(tile(tensors(examples.take(np.arange(1))), self._items, tf.zeros((1, 1), tf.int64)))
        if retrieval is not None:
            warm_start(model, retrieval, catalogue)
        self._optimizer = tf.keras.optimizers.legacy.Adam()
        self._step = tf.function(self._train_step, reduce_retracing=True, autograph=False)

    def run(self, held: Examples, progress: Progress) -> History:
        """Trains; the model ends with the weights of the best epoch."""
        return fit(
            self._model,
            len(self._clicks),
            step=self._one,
            validate=lambda: self._validate(held),
            monitor="ndcg@10",
            settings=self._settings,
            rng=self._rng,
            progress=progress,
        )

    def _validate(self, held: Examples) -> dict[str, float]:
        if not len(held) or self._retrieval is None:
            return {}
        return metrics.summary(chain_ranks(self._model, self._retrieval, self._items, held))

    def _one(self, batch: np.ndarray, rate: float) -> tf.Tensor:
        self._optimizer.learning_rate = rate
        clicks = self._clicks.take(batch)
        seed = tf.constant(self._rng.integers(2**31, size=2), tf.int32)
        shown = self._draw_exposures(len(batch))
        return self._step(
            tensors(clicks), tf.constant(clicks.item), seed, tensors(shown), tf.constant(shown.item)
        )

    def _draw_exposures(self, most: int) -> Examples:
        """As many rows that were shown and not clicked."""
        count = min(most, len(self._exposures))
        return self._exposures.take(
            self._rng.choice(len(self._exposures), size=count, replace=False, shuffle=False)
            if count
            else np.arange(0)
        )

    def _train_step(
        self, inputs: Tensors, positive: tf.Tensor, seed: tf.Tensor, shown: Tensors, shown_item: tf.Tensor
    ) -> tf.Tensor:
        items, correction = self.negatives(inputs, positive, seed)
        rows = tile(inputs, self._items, items)
        if len(self._exposures):
            exposed = tile(shown, self._items, shown_item[:, None])
            rows = {name: tf.concat([column, exposed[name]], axis=0) for name, column in rows.items()}
        with tf.GradientTape() as tape:
            logits = self._model(rows, training=True)[:, 0]
            lists = tf.reshape(logits[: tf.size(items)], tf.shape(items))
            loss = listwise_loss(lists, correction)
            if len(self._exposures):
                clicked = lists[:, 0]
                loss += exposure_loss(clicked, logits[tf.size(items) :], self._calibration)
        variables = [*self._model.trainable_variables, self._calibration]
        pairs = zip(tape.gradient(loss, variables), variables, strict=True)
        self._optimizer.apply_gradients([(gradient, v) for gradient, v in pairs if gradient is not None])
        return loss

    def negatives(self, inputs: Tensors, positive: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws what a batch is ranked against; see `recsys.models.negatives.draw`."""
        scores = None if self._retrieval is None else self._retrieval.scores(inputs)
        shares = (self._settings.retrieved_share, self._settings.popular_share, self._settings.uniform_share)
        proposal = negatives.mixture(scores, self._popularity, shares)
        proposal = tf.broadcast_to(proposal, [tf.size(positive), tf.size(self._popularity)])
        return negatives.draw(proposal, self._settings.negatives, positive, seed)


def listwise_loss(logits: tf.Tensor, correction: tf.Tensor, normalise: float = 0.1) -> tf.Tensor:
    """Cross-entropy of the click among all items, estimated from the drawn ones (sampled softmax).

    A softmax does not care about a constant; the second term makes it that constant for which the scores'
    exponentials average 1 over the catalogue (self-normalisation: Devlin et al., 2014). So a score says how
    many times likelier this item is clicked than one taken at random, as a logarithm, and its sigmoid is the
    chance that of the two it is this one: a number that means something, and that float32 can tell apart.

    Args:
        logits: float32 [B, 1 + count], the click in column 0.
        correction: Of `recsys.models.negatives.draw`.
        normalise: Weight of the second term.
    """
    corrected = logits - correction
    cross_entropy = tf.reduce_logsumexp(corrected, axis=1) - corrected[:, 0]
    drawn = tf.math.count_nonzero(correction[:, 1:] < negatives.NEVER, axis=1, dtype=tf.float32)
    log_total = tf.reduce_logsumexp(corrected[:, 1:], axis=1) - tf.math.log(tf.maximum(drawn, 1.0))
    return tf.reduce_mean(cross_entropy + normalise * tf.square(tf.where(drawn > 0, log_total, 0.0)))


def exposure_loss(clicked: tf.Tensor, passed_over: tf.Tensor, calibration: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of rows that were shown: clicked or passed over.

    Being clicked when shown is another question than being the next click of all, with a scale of its own,
    so the scores pass through a learned straight line first (Platt, 1999).

    Args:
        clicked: Scores of the rows clicked, float32 [B].
        passed_over: Scores of the rows not clicked, float32 [E].
        calibration: Slope and offset, float32 [2].
    """
    slope, offset = calibration[0], calibration[1]
    return tf.reduce_mean(tf.nn.softplus(-(slope * clicked + offset))) + tf.reduce_mean(
        tf.nn.softplus(slope * passed_over + offset)
    )


def chain_ranks(model: mm.Model, retrieval: Towers, items: Tensors, held: Examples) -> np.ndarray:
    """Rank of each row's click among the `_LIST` items retrieved, ordered by the ranker; int64 [rows]."""
    score = tf.function(model, reduce_retracing=True, autograph=False)
    width = min(_LIST, len(retrieval.items))
    found = []
    for at in range(0, len(held), 64):
        part = held.take(np.arange(at, min(at + 64, len(held))))
        inputs = tensors(part)
        retrieved = tf.math.top_k(retrieval.scores(inputs), width).indices
        scores = tf.reshape(score(tile(inputs, items, retrieved)), tf.shape(retrieved)).numpy()
        is_click = retrieved.numpy() == part.item[:, None]
        column = np.where(is_click.any(axis=1), is_click.argmax(axis=1), -1)
        found.append(metrics.ranks(scores, column))
    return np.concatenate(found)


def tensors(examples: Examples) -> Tensors:
    """The rows' user and context features."""
    return {name: tf.constant(column) for name, column in examples.inputs.items()}


def tile(inputs: Tensors, catalogue: Tensors, items: tf.Tensor) -> Tensors:
    """The ranker's inputs for some items of each row.

    Args:
        inputs: User and context features, [B, 1].
        catalogue: Features of all items, [n, width].
        items: Item indexes [B, K].

    Returns:
        Each feature [B * K, width], row by row.
    """
    rows = {name: tf.repeat(column, tf.shape(items)[1], axis=0) for name, column in inputs.items()}
    flat = tf.reshape(items, [-1])
    return rows | {name: tf.gather(column, flat) for name, column in catalogue.items()}
