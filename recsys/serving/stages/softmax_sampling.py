"""Picks the N answers: the best by score, or a weighted sample without replacement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Final

import numpy as np

from recsys.errors import BadUse
from recsys.schema import NO_ITEM, Degraded
from recsys.serving.stage import Arrays

_FLAGS: Final = ("user_flags", "retrieval_flags", "filter_flags", "item_flags")


@dataclass(frozen=True)
class SoftmaxSampling:
    """Orders candidates and folds what was degraded on the way into one mask.

    Attributes:
        returned: N.
        temperature: Of the softmax; lower is sharper.
        weighted: Sample instead of taking the best.
        seed: Of the sample. The same user, time and seed give the same sample, in any batch.
    """

    returned: int
    temperature: float = 0.1
    weighted: bool = False
    seed: int = 0

    def run(self, inputs: Arrays) -> Arrays:
        """Order.

        Args:
            inputs: items int64 [B, K], -1 for none; retrieval_scores and click_scores float32 [B, K];
                user_id and context_time int64 [B, 1]; the four flags int32 [B, 1].

        Returns:
            ordered_items int64 [B, N], greatest score first, -1 where there are fewer; ordered_scores
            float32 [B, N], their softmax over all candidates of the user, 0 at pads; degraded int32
            [B, 1], the union of the flags, with RANKING where the order is retrieval's.
        """
        items = inputs["items"]
        there = items != NO_ITEM
        ranked = (np.isfinite(inputs["click_scores"]) | ~there).all(axis=1, keepdims=True)
        scores = np.where(ranked, inputs["click_scores"], inputs["retrieval_scores"]).astype(np.float64)
        scores[~there] = -np.inf
        keys = scores
        if self.weighted:
            keys = scores / self.temperature + self._gumbel(inputs)
        chosen = self._best(keys, scores)
        degraded = reduce(np.bitwise_or, [inputs[name] for name in _FLAGS])
        return {
            "ordered_items": self._take(items, chosen, NO_ITEM),
            "ordered_scores": self._take(self._softmax(scores).astype(np.float32), chosen, 0),
            "degraded": degraded | np.where(ranked, 0, int(Degraded.RANKING)).astype(np.int32),
        }

    def _best(self, keys: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Columns [B, ≤N] with the greatest keys, ordered by score; ties keep retrieval's order."""
        chosen: np.ndarray = np.argsort(-keys, axis=1, kind="stable")[:, : self.returned]
        if keys is not scores:
            chosen = np.sort(chosen, axis=1)
            order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1, kind="stable")
            chosen = np.take_along_axis(chosen, order, axis=1)
        return chosen

    def _take(self, values: np.ndarray, chosen: np.ndarray, pad: int) -> np.ndarray:
        taken = np.full((len(values), self.returned), pad, values.dtype)
        taken[:, : chosen.shape[1]] = np.take_along_axis(values, chosen, axis=1)
        return taken

    def _softmax(self, scores: np.ndarray) -> np.ndarray:
        """Softmax over a row's candidates; zero at pads, and all zero in a row of pads."""
        scaled = scores / self.temperature
        greatest = scaled.max(axis=1, keepdims=True)
        weights = np.exp(scaled - np.where(np.isfinite(greatest), greatest, 0))
        total = weights.sum(axis=1, keepdims=True)
        share: np.ndarray = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        return share

    def _gumbel(self, inputs: Arrays) -> np.ndarray:
        """Gumbel noise [B, K], a function of seed, user, time and item alone.

        The N greatest of log-weight + Gumbel noise are a weighted sample without replacement: Efraimidis
        & Spirakis, "Weighted random sampling with a reservoir", 2006, in the form of Kool et al.,
        "Stochastic Beams and Where to Find Them", 2019.
        """
        state = np.array([self.seed], np.uint64)
        for part in (inputs["user_id"], inputs["context_time"], inputs["items"]):
            state = _mix(state ^ part.astype(np.uint64))
        uniform = ((state >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
        gumbel: np.ndarray = -np.log(-np.log(uniform))
        return gumbel


def _mix(state: np.ndarray) -> np.ndarray:
    """SplitMix64's step (Steele et al., 2014): every bit of the input moves every bit of the output."""
    mixed: np.ndarray = state + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def load(artefacts: Path, parameters: Mapping[str, str]) -> SoftmaxSampling:
    """Load the stage; it needs no artefact.

    Raises:
        BadUse: There is no such way of sampling, or the temperature is not positive.
    """
    del artefacts
    sampling, temperature = parameters["sampling"], float(parameters["temperature"])
    if sampling not in ("top", "weighted"):
        raise BadUse(f"sampling {sampling!r}", "there is no such way", "Use top or weighted")
    if not temperature > 0:
        raise BadUse(f"temperature {temperature:g}", "is not positive", "Use 0.1 or so")
    return SoftmaxSampling(
        int(parameters["returned"]), temperature, sampling == "weighted", int(parameters["sampling_seed"])
    )
