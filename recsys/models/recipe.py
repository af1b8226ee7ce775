"""How long to train: batch and epochs from the data's size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from recsys.errors import BadData
from recsys.settings import FitSettings

_LEAST_BATCH: Final = 64


@dataclass(frozen=True)
class Plan:
    """Steps of one training.

    Attributes:
        batch_size: Rows a step.
        epochs: Times that each row is seen.
        steps_per_epoch: Whole batches in the rows; the rest waits for the next epoch's shuffle.
    """

    batch_size: int
    epochs: int
    steps_per_epoch: int

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.epochs * self.steps_per_epoch


def plan(rows: int, settings: FitSettings) -> Plan:
    """Chooses batch and epochs so that there are enough steps, whatever the data's size.

    What a model learns depends on the number of its steps more than on the number of rows: a batch chosen
    for millions of rows leaves a small shop with a few dozen steps and an untrained model. So the batch is
    the greatest power of two, up to `largest_batch`, that still gives `steps_per_epoch` steps in an epoch,
    and the epochs are raised above `epochs` where that leaves fewer than `least_steps` in all.

    Args:
        rows: Training rows.
        settings: The wanted numbers.

    Raises:
        BadData: There are no rows.
    """
    if rows < 1:
        raise BadData("training rows", "there are none", "Give days that hold clicks")
    fitting = max(rows / settings.steps_per_epoch, 1)
    batch = min(max(2 ** math.floor(math.log2(fitting)), _LEAST_BATCH), settings.largest_batch, rows)
    steps = max(rows // batch, 1)
    epochs = max(settings.epochs, math.ceil(settings.least_steps / steps))
    return Plan(batch, min(epochs, settings.most_epochs), steps)


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Cosine decay from `peak` to 2 % of it, after a linear warm-up over the first 2 % of steps.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017.

    Args:
        step: From 0.
        steps: In all.
        peak: The greatest rate.
    """
    warm = max(steps // 50, 1)
    if step < warm:
        return peak * (step + 1) / warm
    done = (step - warm) / max(steps - warm, 1)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))
