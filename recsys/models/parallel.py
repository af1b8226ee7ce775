"""Several processes that train one model: each takes a share of every batch, and all take the same step.

TensorFlow's `MultiWorkerMirroredStrategy` gives the collectives, and `TF_CONFIG` says who the others are, as
Kubeflow's training operator sets it. Its mirrored variables are not used: Merlin's layers make theirs when
they are first called, wherever that is. Each process has plain variables instead, which begin equal, by their
seeds, and stay equal, as everyone applies the same sum of gradients. So with the same batches n workers take
the steps of one, but for dropout and other draws inside the model, and for rounding.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import tensorflow as tf

from recsys.errors import BadUse

_KINDS: Final = ("chief", "worker")
"""Of TF_CONFIG's tasks, those that train."""


@dataclass(frozen=True)
class Workers:
    """The processes that train together.

    Attributes:
        rank: This one's place among them; 0 writes what is learned.
        count: How many there are.
        strategy: Their collectives; None: there is one only.
    """

    rank: int = 0
    count: int = 1
    strategy: tf.distribute.Strategy | None = None

    @classmethod
    def of_environment(cls) -> Workers:
        """Those of `TF_CONFIG`; waits until all are there. To be called before anything else of TensorFlow.

        Raises:
            BadUse: It names other tasks than a chief and workers, or is not JSON.
        """
        config = _config(os.environ.get("TF_CONFIG", ""))
        addresses = [address for kind in _KINDS for address in config.get("cluster", {}).get(kind, [])]
        if len(addresses) < 2:
            return ALONE
        task = config["task"]
        if task["type"] not in _KINDS:
            raise BadUse("TF_CONFIG", f"task {task['type']} does not train", "Use a chief and workers only")
        chiefs = len(config["cluster"].get("chief", [])) if task["type"] == "worker" else 0
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        return cls(int(task["index"]) + chiefs, len(addresses), strategy)

    @property
    def is_chief(self) -> bool:
        """Whether this process writes what is learned."""
        return self.rank == 0

    def share(self, values: np.ndarray) -> np.ndarray:
        """This process's rows of a batch."""
        return values[self.rank :: self.count]

    def summed(self, gradients: Sequence[Any], rows: tf.Tensor) -> Sequence[Any]:
        """Gradients of the mean loss of a whole batch; inside a graph.

        Args:
            gradients: Of the mean loss of this process's rows: tensors or `tf.IndexedSlices`; None stays.
            rows: How many rows those are.
        """
        if self.strategy is None:
            return gradients
        there = [gradient for gradient in gradients if gradient is not None]
        count = tf.cast(rows, tf.float32)
        whole = self._sum([count])[0]
        found = iter(self._sum([_scaled(gradient, count / whole) for gradient in there]))
        return [None if gradient is None else next(found) for gradient in gradients]

    def agreed(self, values: Mapping[str, float]) -> dict[str, float]:
        """The mean of what each process found: the same in all, so that all stop at the same epoch."""
        if self.strategy is None:
            return dict(values)
        own = tf.constant(list(values.values()), tf.float64)
        means = tf.function(lambda: self._sum([own])[0], autograph=False)() / self.count
        return {name: float(mean) for name, mean in zip(values, means, strict=True)}

    def _sum(self, tensors: list[Any]) -> list[Any]:
        def everywhere() -> list[Any]:
            # Within, each has the replica's device; one without is no destination of a sum.
            placed = [_scaled(tensor, tf.ones((), tensor.dtype)) for tensor in tensors]
            context = tf.distribute.get_replica_context()
            found: list[Any] = context.all_reduce(tf.distribute.ReduceOp.SUM, placed)
            return found

        assert self.strategy is not None  # noqa: S101  (who is alone never asks; for the type checker)
        found: list[Any] = self.strategy.run(everywhere)
        return found


ALONE: Final = Workers()


@cache
def here() -> Workers:
    """This process's workers: collectives can be set up once."""
    return Workers.of_environment()


def _scaled(gradient: Any, by: tf.Tensor) -> Any:
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values * by, gradient.indices, gradient.dense_shape)
    return gradient * by


def _config(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text or "{}")
    except ValueError as error:
        raise BadUse("TF_CONFIG", f"not JSON ({error})", "Let the training operator set it") from error
    return found
