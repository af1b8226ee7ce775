from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from recsys.errors import RecsysError
from recsys.models.fit import fit
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


def test_a_loss_that_is_no_number_is_an_error():
    with pytest.raises(RecsysError, match="not finite"):
        run([0.1], step=lambda batch, rate: tf.constant(float("nan")))
