"""Picks the N answers: the best, a weighted sample, a diverse or capped choice, or one that explores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Final

import numpy as np

from recsys.errors import BadUse
from recsys.schema import NO_ITEM, Degraded
from recsys.serving.caps import ItemCategories, capped, passed_over
from recsys.serving.diversity import ItemVectors, mmr
from recsys.serving.dpp import dpp
from recsys.serving.exploration import explore
from recsys.serving.relevance import logits, softmax
from recsys.serving.stage import Arrays

DIVERSITY: Final = ("mmr", "dpp")
"""Ways in which the items' difference is weighed."""

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
        by: How difference is weighed, a place in `DIVERSITY`.
        most: Items of one top-level category at most; 0: any number.
        explore: Temperature of answers that try things; 0: none. See `recsys.serving.exploration`.
        categories: Of the items; only needed for `most`.
    """

    returned: int
    temperature: float = 0.1
    weighted: bool = False
    sampling_temperature: float = 0.005
    seed: int = 0
    diversity: float = 0.0
    vectors: ItemVectors | None = field(default=None, compare=False)
    by: int = 0
    most: int = 0
    explore: float = 0.0
    categories: ItemCategories | None = field(default=None, compare=False)

    def run(self, inputs: Arrays) -> Arrays:
        """Order.

        Args:
            inputs: items int64 [B, K], -1 for none; retrieval_scores and click_scores float32 [B, K];
                item_sources int32 [B, K]; user_id and context_time int64 [B, 1]; the four flags int32 [B, 1].
                What a request may choose for itself, [B, 1] each: top_k int32, how many items at most, 0 for
                N; sampling int32, 0 for the best and 1 for a sample; diversity float32; both -1 for what is
                set here; seed int64, in place of the time, 0 for none; diversity_by and max_per_category
                int32, explore float32: -1 for what is set here. Who explores gets neither of the others.

        Returns:
            ordered_items int64 [B, N], greatest score first (of who explores: as drawn), -1 where there are
            fewer; ordered_scores float32 [B, N], their softmax over all candidates of the user, 0 at pads,
            nowhere more than before it; ordered_sources int32 [B, N]; propensities float32 [B, N], the chance
            of each place given those before it: 1 unless it was explored, 0 at pads and of a sample, whose
            places are not drawn one by one; degraded int32 [B, 1], the union of the flags, with RANKING where
            the order is retrieval's.
        """
        items = inputs["items"]
        there = items != NO_ITEM
        ranked = (np.isfinite(inputs["click_scores"]) | ~there).all(axis=1, keepdims=True)
        scores = np.where(ranked, inputs["click_scores"], inputs["retrieval_scores"]).astype(np.float64)
        scores[~there] = -np.inf
        chosen, wanted, chance = self._choose(scores, ranked, inputs)
        shares = self._take(self._softmax(scores).astype(np.float32), chosen, wanted, 0)
        degraded = reduce(np.bitwise_or, [inputs[name] for name in _FLAGS])
        return {
            "ordered_items": self._take(items, chosen, wanted, NO_ITEM),
            "ordered_scores": np.minimum.accumulate(shares, axis=1),
            "ordered_sources": self._take(inputs["item_sources"], chosen, wanted, 0),
            "propensities": self._padded(chance.astype(np.float32)),
            "degraded": degraded | np.where(ranked, 0, int(Degraded.RANKING)).astype(np.int32),
        }

    def _choose(
        self, scores: np.ndarray, ranked: np.ndarray, inputs: Arrays
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Columns [B, ≤N], ordered by score, ties in retrieval's order; which are wanted; their chances."""
        wish = self._wishes(inputs)
        if wish.is_plain:
            return self._best(scores, wish)
        keys = scores
        if wish.weighted.any():
            noisy = scores / self.sampling_temperature + self._gumbel(inputs)
            keys = np.where(wish.weighted[:, None], noisy, scores)
        count = min(self.returned, scores.shape[1])
        picked = np.argsort(-keys, axis=1, kind="stable")[:, :count]
        most = np.where(wish.top_k > 0, np.minimum(wish.top_k, count), count)
        full = self._cap(picked, keys, wish.most, inputs["items"])
        if (wish.spread > 0).any():
            # Of the items themselves, chances: retrieval's scores are logits as they are.
            likely = softmax(np.where(ranked, logits(scores), scores))
            relevance = np.where(wish.weighted[:, None], keys, likely)
            relevance = np.where(np.isfinite(scores) & ~full, relevance, -np.inf)
            self._spread(picked, relevance, wish, most, inputs["items"])
        chance = np.ones(picked.shape)
        chance[wish.weighted] = 0
        tries = wish.explore > 0
        if tries.any():
            uniform = self._uniform(inputs)[tries]
            picked[tries], chance[tries] = explore(scores[tries], count, wish.explore[tries, None], uniform)
        wanted = np.arange(count) < most[:, None]
        # Those that are not wanted go last; the columns break ties, and retrieval ordered those.
        own = np.take_along_axis(scores, picked, axis=1)
        place = np.where(tries[:, None], -np.arange(count), own)
        order = np.lexsort((picked, -place, ~wanted), axis=1)
        chance = np.where(np.isfinite(own) & wanted, chance, 0)
        return np.take_along_axis(picked, order, axis=1), wanted, np.take_along_axis(chance, order, axis=1)

    def _best(self, scores: np.ndarray, wish: _Wishes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `_choose` comes to where nobody wants anything but the best: nearly all requests."""
        count = min(self.returned, scores.shape[1])
        picked = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        wanted = np.arange(count) < np.where(wish.top_k > 0, wish.top_k, count)[:, None]
        own = scores[np.arange(len(scores))[:, None], picked]
        return picked, wanted, (np.isfinite(own) & wanted).astype(np.float64)

    def _wishes(self, inputs: Arrays) -> _Wishes:
        """What each request chose, and what is set where it did not."""

        def chosen(name: str, default: float) -> np.ndarray:
            given = inputs[name][:, 0]
            return np.where(given < 0, default, given)

        tries = chosen("explore", self.explore)
        return _Wishes(
            top_k=inputs["top_k"][:, 0],
            weighted=(tries == 0) & (chosen("sampling", int(self.weighted)) > 0),
            spread=np.where(tries == 0, chosen("diversity", self.diversity), 0),
            by=chosen("diversity_by", self.by),
            most=np.where(tries == 0, chosen("max_per_category", self.most), 0).astype(np.int64),
            explore=tries,
        )

    def _cap(self, picked: np.ndarray, keys: np.ndarray, most: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Changes columns [B, ≤N] in place where there is a cap; which items are beyond it, bool [B, K]."""
        full = np.zeros(keys.shape, np.bool_)
        some = most > 0
        if some.any() and self.categories is not None:
            category = self.categories.of(items[some])
            full[some] = passed_over(keys[some], category, most[some])
            picked[some] = capped(keys[some], category, picked.shape[1], most[some])
        return full

    def _spread(
        self, picked: np.ndarray, relevance: np.ndarray, wish: _Wishes, most: np.ndarray, items: np.ndarray
    ) -> None:
        """Changes columns [B, ≤N] in place where difference has a weight."""
        some = wish.spread > 0
        steps = int(most[some].max())  # what is beyond is not wanted
        for by, way in enumerate((mmr, dpp)):
            rows = some & (wish.by == by)
            if rows.any() and self.vectors is not None:
                vectors = self.vectors.of(items[rows])
                picked[rows, :steps] = way(relevance[rows], vectors, steps, np.minimum(wish.spread[rows], 1))

    def _take(self, values: np.ndarray, chosen: np.ndarray, wanted: np.ndarray, pad: int) -> np.ndarray:
        taken = np.full((len(values), self.returned), pad, values.dtype)
        # As `np.take_along_axis`, at a third of its cost for one user.
        found = values[np.arange(len(values))[:, None], chosen]
        taken[:, : chosen.shape[1]] = np.where(wanted, found, pad)
        return taken

    def _padded(self, values: np.ndarray) -> np.ndarray:
        taken = np.zeros((len(values), self.returned), values.dtype)
        taken[:, : values.shape[1]] = values
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
        """Gumbel noise [B, K].

        The N greatest of log-weight + Gumbel noise are a weighted sample without replacement: Efraimidis
        & Spirakis, "Weighted random sampling with a reservoir", 2006, in the form of Kool et al.,
        "Stochastic Beams and Where to Find Them", 2019.
        """
        gumbel: np.ndarray = -np.log(-np.log(self._uniform(inputs)))
        return gumbel

    def _uniform(self, inputs: Arrays) -> np.ndarray:
        """Draws in (0, 1), [B, K], a function of the seeds, user, time and item alone."""
        state = np.array([self.seed], np.uint64) ^ inputs["seed"].astype(np.uint64)
        # With a seed of its own a request is sampled the same whenever it is repeated.
        moment = np.where(inputs["seed"] == 0, inputs["context_time"], 0)
        for part in (inputs["user_id"], moment, inputs["items"]):
            state = _mix(state ^ part.astype(np.uint64))
        uniform: np.ndarray = ((state >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
        return uniform


@dataclass(frozen=True)
class _Wishes:
    """What each of B requests wants of the order, [B] each."""

    top_k: np.ndarray
    weighted: np.ndarray
    spread: np.ndarray
    by: np.ndarray
    most: np.ndarray
    explore: np.ndarray

    @property
    def is_plain(self) -> bool:
        """Whether all want the best by score and nothing else."""
        return not (
            self.weighted.any()
            or (self.spread > 0).any()
            or (self.most > 0).any()
            or (self.explore > 0).any()
        )


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
    if parameters["diversity_by"] not in DIVERSITY:
        raise BadUse(f"diversity_by {parameters['diversity_by']!r}", "there is no such way", "Use mmr or dpp")
    return SoftmaxSampling(
        int(parameters["returned"]),
        temperature,
        sampling == "weighted",
        drawn_at,
        int(parameters["sampling_seed"]),
        diversity,
        ItemVectors(artefacts),
        DIVERSITY.index(parameters["diversity_by"]),
        int(parameters["max_per_category"]),
        float(parameters["explore"]),
        ItemCategories(artefacts),
    )
