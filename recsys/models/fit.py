"""The training loop that both models share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from recsys.errors import RecsysError
from recsys.models.recipe import learning_rate, plan
from recsys.settings import FitSettings

Progress = Callable[[str, float | None], None]
"""Told in a line what was done, and which share of the whole that is."""

History = list[dict[str, float]]
"""One entry an epoch: epoch, loss, seconds and the validation metrics, where rows were held out."""


def fit(
    weights: Any,
    rows: int,
    *,
    step: Callable[[np.ndarray, float], tf.Tensor],
    validate: Callable[[], Mapping[str, float]],
    monitor: str,
    settings: FitSettings,
    rng: np.random.Generator,
    progress: Progress,
) -> History:
    """Runs the plan that fits the number of rows, and keeps the best epoch's weights.

    Args:
        weights: A Keras model whose weights are kept: `get_weights` and `set_weights`.
        rows: Number of training rows.
        step: Given the positions of a batch's rows, int64 [B], and the learning rate, trains on them and
            gives the loss.
        validate: Metrics of the model as it is; empty where nothing was held out.
        monitor: The one of them that is to be greatest.
        settings: Epochs, rate and patience.
        rng: Of the shuffles.
        progress: Told how each epoch went.

    Returns:
        The history; training ends early after `patience` epochs that were not better than the best.

    Raises:
        RecsysError: The loss is not finite.
    """
    steps = plan(rows, settings)
    history: History = []
    best, best_weights, since_best = -np.inf, None, 0
    for epoch in range(steps.epochs):
        started = time.perf_counter()
        order = rng.permutation(rows)
        losses = []
        for number in range(steps.steps_per_epoch):
            done = epoch * steps.steps_per_epoch + number
            batch = order[number * steps.batch_size : (number + 1) * steps.batch_size]
            losses.append(step(batch, learning_rate(done, steps.steps, settings.learning_rate)))
        if not np.isfinite(losses).all():
            raise RecsysError("training", "the loss is not finite", "Lower the learning rate")
        record = {"epoch": float(epoch + 1), "loss": float(np.mean(losses)), **validate()}
        record["seconds"] = time.perf_counter() - started
        history.append(record)
        progress(_line(record, steps.epochs), (epoch + 1) / steps.epochs)
        value = record.get(monitor, float(epoch))
        since_best += 1
        if value > best:
            best, best_weights, since_best = value, weights.get_weights(), 0
        if since_best >= settings.patience:
            break
    weights.set_weights(best_weights)
    return history


def _line(record: Mapping[str, float], epochs: int) -> str:
    shown = [f"{name} {record[name]:.3f}" for name in ("hit@10", "hit@300", "auc") if name in record]
    parts = [f"loss {record['loss']:.3f}", *shown, f"{record['seconds']:.0f} s"]
    return f"epoch {record['epoch']:.0f}/{epochs}: {', '.join(parts)}"
