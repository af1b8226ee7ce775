"""Picks the N answers: the best by score, a weighted sample without replacement, or a diverse choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Final

import numpy as np

from recsys.errors import BadUse
from recsys.schema import NO_ITEM, Degraded
from recsys.serving.diversity import ItemVectors, mmr
from recsys.serving.relevance import logits, softmax
from recsys.serving.stage import Arrays

_FLAGS: Final = ("user_flags", "retrieval_flags", "filter_flags", "item_flags")


@dataclass(frozen=True)
class SoftmaxSampling:
    """Orders candidates and folds what was degraded on the way into one mask.

    Attributes:
        returned: N.
        temperature: Of the softmax that is put out as scores; lower is sharper.
        weighted: Sample instead of taking the best.
        sampling_temperature: Of the softmax that is drawn from. The ranker's scores crowd near 1: the ten
            best lie within hundredths, so at 0.1 every candidate is nearly as likely as the best.
        seed: Of the sample. The same user, time and seeds give the same sample, in any batch.
        diversity: Weight of the items' difference, 0 to 1; see `recsys.serving.diversity`.
        vectors: What the items are like; only needed for diversity.
    """

    returned: int
    temperature: float = 0.1
    weighted: bool = False
    sampling_temperature: float = 0.005
    seed: int = 0
    diversity: float = 0.0
    vectors: ItemVectors | None = field(default=None, compare=False)

    def run(self, inputs: Arrays) -> Arrays:
        """Order.

        Args:
            inputs: items int64 [B, K], -1 for none; retrieval_scores and click_scores float32 [B, K];
                item_sources int32 [B, K]; user_id and context_time int64 [B, 1]; the four flags int32 [B, 1].
                What a request may choose for itself, [B, 1] each: top_k int32, how many items at most, 0 for
                N; sampling int32, 0 for the best and 1 for a sample; diversity float32; both -1 for what is
                set here; seed int64, in place of the time, 0 for none.

        Returns:
            ordered_items int64 [B, N], greatest score first, -1 where there are fewer; ordered_scores
            float32 [B, N], their softmax over all candidates of the user, 0 at pads; ordered_sources int32
            [B, N]; degraded int32 [B, 1], the union of the flags, with RANKING where the order is
            retrieval's.
        """
        items = inputs["items"]
        there = items != NO_ITEM
        ranked = (np.isfinite(inputs["click_scores"]) | ~there).all(axis=1, keepdims=True)
        scores = np.where(ranked, inputs["click_scores"], inputs["retrieval_scores"]).astype(np.float64)
        scores[~there] = -np.inf
        chosen, wanted = self._choose(scores, ranked, inputs)
        degraded = reduce(np.bitwise_or, [inputs[name] for name in _FLAGS])
        return {
            "ordered_items": self._take(items, chosen, wanted, NO_ITEM),
            "ordered_scores": self._take(self._softmax(scores).astype(np.float32), chosen, wanted, 0),
            "ordered_sources": self._take(inputs["item_sources"], chosen, wanted, 0),
            "degraded": degraded | np.where(ranked, 0, int(Degraded.RANKING)).astype(np.int32),
        }

    def _choose(
        self, scores: np.ndarray, ranked: np.ndarray, inputs: Arrays
    ) -> tuple[np.ndarray, np.ndarray]:
        """Columns [B, ≤N], ordered by score, ties in retrieval's order; and which of them are wanted."""
        sampled, diversity, top_k = (inputs[name][:, 0] for name in ("sampling", "diversity", "top_k"))
        weighted = np.where(sampled < 0, self.weighted, sampled > 0)
        spread = np.where(diversity < 0, self.diversity, diversity)
        keys = scores
        if weighted.any():
            noisy = scores / self.sampling_temperature + self._gumbel(inputs)
            keys = np.where(weighted[:, None], noisy, scores)
        count = min(self.returned, scores.shape[1])
        picked = np.argsort(-keys, axis=1, kind="stable")[:, :count]
        most = np.where(top_k > 0, np.minimum(top_k, count), count)
        some = spread > 0
        if some.any() and self.vectors is not None:
            vectors = self.vectors.of(inputs["items"][some])
            # Of the items themselves, chances: retrieval's scores are logits as they are.
            likely = softmax(np.where(ranked, logits(scores), scores))
            likely = np.where(np.isfinite(scores), likely, -np.inf)
            relevance = np.where(weighted[:, None], keys, likely)[some]
            steps = int(most[some].max())  # what is beyond is not wanted
            picked[some, :steps] = mmr(relevance, vectors, steps, np.minimum(spread[some], 1))
        wanted = np.arange(count) < most[:, None]
        # Those that are not wanted go last; the columns break ties, and retrieval ordered those.
        place = np.take_along_axis(scores, picked, axis=1)
        order = np.lexsort((picked, -place, ~wanted), axis=1)
        return np.take_along_axis(picked, order, axis=1), wanted

    def _take(self, values: np.ndarray, chosen: np.ndarray, wanted: np.ndarray, pad: int) -> np.ndarray:
        taken = np.full((len(values), self.returned), pad, values.dtype)
        taken[:, : chosen.shape[1]] = np.where(wanted, np.take_along_axis(values, chosen, axis=1), pad)
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
        """Gumbel noise [B, K], a function of the seeds, user, time and item alone.

        The N greatest of log-weight + Gumbel noise are a weighted sample without replacement: Efraimidis
        & Spirakis, "Weighted random sampling with a reservoir", 2006, in the form of Kool et al.,
        "Stochastic Beams and Where to Find Them", 2019.
        """
        state = np.array([self.seed], np.uint64) ^ inputs["seed"].astype(np.uint64)
        # With a seed of its own a request is sampled the same whenever it is repeated.
        moment = np.where(inputs["seed"] == 0, inputs["context_time"], 0)
        for part in (inputs["user_id"], moment, inputs["items"]):
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
    """Load the stage; the items' embeddings are read when a request first wants diversity.

    Raises:
        BadUse: There is no such way of sampling, or the temperature or diversity is out of range.
    """
    sampling, diversity = parameters["sampling"], float(parameters["diversity"])
    temperature, drawn_at = (float(parameters[name]) for name in ("temperature", "sampling_temperature"))
    if sampling not in ("top", "weighted"):
        raise BadUse(f"sampling {sampling!r}", "there is no such way", "Use top or weighted")
    if not temperature > 0:
        raise BadUse(f"temperature {temperature:g}", "is not positive", "Use 0.1 or so")
    if not drawn_at > 0:
        raise BadUse(f"sampling_temperature {drawn_at:g}", "is not positive", "Use 0.005 or so")
    if not 0 <= diversity <= 1:
        raise BadUse(f"diversity {diversity:g}", "is not a share", "Use 0 to 1")
    return SoftmaxSampling(
        int(parameters["returned"]),
        temperature,
        sampling == "weighted",
        drawn_at,
        int(parameters["sampling_seed"]),
        diversity,
        ItemVectors(artefacts),
    )
