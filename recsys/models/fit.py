"""The training loop that both models share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import tensorflow as tf

from recsys.errors import RecsysError
from recsys.models.recipe import learning_rate, plan
from recsys.settings import FitSettings

Progress = Callable[[str, float | None], None]
"""Told in a line what was done, and which share of the whole that is."""

SHUFFLED_ROWS: Final = 1 << 23
"""Rows that are shuffled together: beyond, their columns may not fit in memory."""

_RUN: Final = 1_024

History = list[dict[str, float]]
"""One entry an epoch: epoch, loss, seconds and the validation metrics, where rows were held out."""


def fit(
    weights: Any,
    rows: int,
    *,
    step: Callable[[Any, float], tf.Tensor],
    validate: Callable[[], Mapping[str, float]],
    monitor: str,
    settings: FitSettings,
    rng: np.random.Generator,
    progress: Progress,
    prepare: Callable[[np.ndarray], Any] = lambda batch: batch,
) -> History:
    """Runs the plan that fits the number of rows, and keeps the best epoch's weights.

    Args:
        weights: A Keras model whose weights are kept: `get_weights` and `set_weights`.
        rows: Number of training rows.
        step: Given what `prepare` made of a batch and the learning rate, trains on it and gives the loss.
        validate: Metrics of the model as it is; empty where nothing was held out.
        monitor: The one of them that is to be greatest.
        settings: Epochs, rate and patience.
        rng: Of the shuffles.
        progress: Told the plan and how each epoch went.
        prepare: Given the positions of a batch's rows, int64 [B], gathers what `step` takes, while the step
            before runs: in a thread of its own, one batch after the other in their order.

    Returns:
        The history; training ends early after `patience` epochs that were not better than the best.

    Raises:
        RecsysError: The loss is not finite.
    """
    steps = plan(rows, settings)
    progress(str(steps), 0.0)
    history: History = []
    best, best_weights, since_best = -np.inf, None, 0
    for epoch in range(steps.epochs):
        started = time.perf_counter()
        order = shuffled(rows, rng)[: steps.in_epoch(epoch) * steps.batch_size]
        losses = []
        batches = [order[at : at + steps.batch_size] for at in range(0, len(order), steps.batch_size)]
        for number, batch in enumerate(_ahead(prepare, batches), start=epoch * steps.steps_per_epoch):
            losses.append(step(batch, learning_rate(number, steps.steps, settings.learning_rate)))
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


def shuffled(rows: int, rng: np.random.Generator, most: int = SHUFFLED_ROWS) -> np.ndarray:
    """All positions in an order drawn at random, int64 [rows].

    Rows on disk are read in this order. Where they are more than `most`, runs of neighbours are dealt out to
    parts of `most` rows, and each part is shuffled within: so a part is what the page cache has to hold.

    Args:
        rows: How many.
        rng: Of the draw.
        most: Rows of a part.
    """
    order: np.ndarray
    if rows <= most:
        order = rng.permutation(rows)
        return order
    runs = rng.permutation(-(-rows // _RUN))
    order = (runs[:, None] * _RUN + np.arange(_RUN)).ravel()
    order = order[order < rows]
    for at in range(0, rows, most):
        rng.shuffle(order[at : at + most])
    return order


def _ahead(prepare: Callable[[np.ndarray], Any], batches: Sequence[np.ndarray]) -> Iterator[Any]:
    """What `prepare` makes of each batch, the next being made while one is worked on."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        following = thread.submit(prepare, batches[0])
        for batch in batches[1:]:
            ready = following.result()
            following = thread.submit(prepare, batch)
            yield ready
        yield following.result()


def _line(record: Mapping[str, float], epochs: int) -> str:
    shown = [f"{name} {record[name]:.3f}" for name in ("hit@10", "hit@300", "auc") if name in record]
    parts = [f"loss {record['loss']:.3f}", *shown, f"{record['seconds']:.0f} s"]
    return f"epoch {record['epoch']:.0f}/{epochs}: {', '.join(parts)}"
