from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import RecsysError
from recsys.models.fit import fit, shuffled
from recsys.settings import FitSettings

SETTINGS = FitSettings(epochs=6, steps_per_epoch=1, least_steps=1, patience=2)


class Counter:
    """Its one weight is the number of steps."""

    def __init__(self) -> None:
        self.steps = 0

    def get_weights(self):
        return [self.steps]

    def set_weights(self, weights):
        self.steps = weights[0]

    def step(self, batch, rate):
        self.steps += 1
        return tf.constant(1.0)


def run(scores, **changes):
    model, validated = Counter(), iter(scores)
    told = []
    arguments = {
        "step": model.step,
        "validate": lambda: {"hit@10": next(validated)},
        "monitor": "hit@10",
        "settings": SETTINGS,
        "rng": np.random.default_rng(0),
        "progress": lambda message, share: told.append((message, share)),
    }
    return model, fit(model, 64, **(arguments | changes)), told


def test_the_best_epoch_s_weights_are_kept_and_training_stops_when_it_gets_no_better():
    model, history, told = run([0.1, 0.4, 0.3, 0.2, 0.9, 0.9])
    assert len(history) == 4
    assert model.steps == 2
    assert told[0] == ("6 steps of 64 rows: each row 6 times", 0.0)
    assert told[2][0].startswith("epoch 2/6: loss 1.000, hit@10 0.400")
    assert told[2][1] == pytest.approx(2 / 6)


def test_without_validation_the_last_epoch_is_kept():
    model, history, _ = run([], validate=dict)
    assert len(history) == model.steps == 6


def test_batches_are_made_in_order_whoever_makes_them():
    rng, taken, made = np.random.default_rng(0), [], []

    def prepare(batch):
        made.append(len(batch))
        return batch, rng.integers(1_000)

    def step(prepared, rate):
        taken.append(prepared)
        return tf.constant(1.0)

    settings = FitSettings(epochs=2, steps_per_epoch=1, least_steps=1, largest_batch=64)
    arguments = {"validate": dict, "monitor": "", "settings": settings, "progress": lambda *_: None}
    fit(Counter(), 640, step=step, prepare=prepare, rng=rng, **arguments)
    again = np.random.default_rng(0)
    for epoch in range(2):
        order = again.permutation(640)
        for number in range(10):
            batch, drawn = taken[10 * epoch + number]
            np.testing.assert_array_equal(batch, order[64 * number : 64 * (number + 1)])
            assert drawn == again.integers(1_000)


def test_what_goes_wrong_in_making_a_batch_is_told():
    def prepare(batch):
        raise ValueError("torn page")

    with pytest.raises(ValueError, match="torn page"):
        run([0.1], prepare=prepare)


@given(st.integers(1, 20_000), st.integers(1_500, 6_000))
def test_every_row_once_and_parts_are_shuffled_within(rows, most):
    order = shuffled(rows, np.random.default_rng(1), most)
    np.testing.assert_array_equal(np.sort(order), np.arange(rows))
    if rows <= most:
        np.testing.assert_array_equal(order, np.random.default_rng(1).permutation(rows))
    else:  # a part is made of runs of neighbours
        for at in range(0, rows, most):
            assert len(np.unique(order[at : at + most] // 1_024)) <= most // 1_024 + 3


def test_a_loss_that_is_no_number_is_an_error():
    with pytest.raises(RecsysError, match="not finite"):
        run([0.1], step=lambda batch, rate: tf.constant(float("nan")))
