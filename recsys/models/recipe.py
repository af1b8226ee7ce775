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
        steps: In all; the last epoch may be a part of one.
    """

    batch_size: int
    epochs: int
    steps_per_epoch: int
    steps: int

    def in_epoch(self, epoch: int) -> int:
        """Steps of an epoch, counted from 0."""
        return min(self.steps_per_epoch, self.steps - epoch * self.steps_per_epoch)

    def __str__(self) -> str:
        """What was chosen, in a line."""
        share = self.steps / self.steps_per_epoch
        return f"{self.steps:,} steps of {self.batch_size:,} rows: each row {share:.3g} times"


def plan(rows: int, settings: FitSettings) -> Plan:
    """Chooses batch and epochs so that there are enough steps, whatever the data's size.

    What a model learns depends on the number of its steps more than on the number of rows: a batch chosen
    for millions of rows leaves a small shop with a few dozen steps and an untrained model. So the batch is
    the greatest power of two, up to `largest_batch`, that still gives `steps_per_epoch` steps in an epoch,
    and the epochs are raised above `epochs` where that leaves fewer than `least_steps` in all. From about
    `largest_batch` times `steps_per_epoch` rows on the steps grow with the rows, up to `most_steps`: beyond,
    rows are seen fewer times, at last not all of them, and training takes no longer.

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
    total = min(min(epochs, settings.most_epochs) * steps, settings.most_steps)
    return Plan(batch, math.ceil(total / steps), steps, total)


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
