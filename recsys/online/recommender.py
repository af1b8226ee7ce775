"""One answer: the ensemble's if it can be had in time, else the best fallback, under the shop's rules."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.errors import RecsysError
from recsys.online.catalogue import Catalogue, Catalogues
from recsys.online.ensemble import Ensemble, Question
from recsys.online.fallback import Fallback, Ranked
from recsys.online.rules import Rules
from recsys.schema import NO_ITEM, Degraded
from recsys.serving.client import Recommendation
from recsys.settings import GatewaySettings

_log = logging.getLogger(__name__)

ENSEMBLE: Final = "ensemble"


@dataclass(frozen=True)
class Answer:
    """What a shop is told.

    Attributes:
        catalogue: Where the items are; None when no release was ever read.
        indexes: Rows of the catalogue, best first, none twice.
        scores: One for each, never rising.
        sources: Where each came from.
        degraded: What of it came from a fallback.
        timings_ms: Milliseconds by part.
    """

    catalogue: Catalogue | None
    indexes: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    degraded: Degraded = Degraded.NONE
    timings_ms: dict[str, float] = field(default_factory=dict)


class Recommender:
    """The ladder: ensemble, batch answer, popular items.

    Args:
        ensemble: Way to Triton.
        fallback: The rungs below it.
        catalogues: The releases.
        settings: Deadline, and whether batch answers come first.
    """

    def __init__(
        self, ensemble: Ensemble, fallback: Fallback, catalogues: Catalogues, settings: GatewaySettings
    ) -> None:
        self._ensemble = ensemble
        self._fallback = fallback
        self._catalogues = catalogues
        self._settings = settings

    async def recommend(
        self,
        question: Question,
        rules: Rules,
        top_k: int,
        deadline_s: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Answer one question; this does not fail.

        Args:
            question: Who is asked for.
            rules: What may be shown.
            top_k: At most so many items.
            deadline_s: How long it may take, at most the settings' own.
            headers: Sent along to Triton.
        """
        clock = _Stopwatch()
        allowed_s = min(deadline_s or self._settings.deadline_s, self._settings.deadline_s)
        reserve_s = min(self._settings.reserve_s, allowed_s / 2)
        ranked = None
        if self._settings.mode == "precomputed":
            ranked = await asyncio.to_thread(self._fallback.precomputed, question.user_id)
            clock.lap("precomputed")
        if ranked is None:
            try:
                found = await self._ensemble.recommend(question, clock.start + allowed_s - reserve_s, headers)
                clock.lap("ensemble")
                ranked = self._ranked(found)
            except RecsysError as error:
                clock.lap("ensemble")
                _log.warning("answered without the ensemble: %s", error)
                ranked = await asyncio.to_thread(self._without_ensemble, question.user_id, rules)
                clock.lap("fallback")
        answer = await self._choose(ranked, question, rules, top_k)
        clock.lap("rules")
        return Answer(**{**vars(answer), "timings_ms": clock.laps})

    def _ranked(self, found: Recommendation) -> Ranked:
        catalogue = self._catalogues.of(found.release)
        indexes = catalogue.indexes(np.array(found.ids, dtype=np.int64))
        scores = np.array(found.scores, dtype=np.float64)
        known = indexes != NO_ITEM
        return Ranked(catalogue, indexes[known], scores[known], Degraded(found.degraded), ENSEMBLE)

    def _without_ensemble(self, user_id: int, rules: Rules) -> Ranked | None:
        ranked = None
        if self._settings.mode != "precomputed":
            ranked = self._fallback.precomputed(user_id)
        return ranked or self._fallback.popular(user_id, rules)

    async def _choose(self, ranked: Ranked | None, question: Question, rules: Rules, top_k: int) -> Answer:
        """The first `top_k` that the rules allow, filled up with popular items where too few are left."""
        if ranked is None:
            return Answer(None, degraded=Degraded.POPULAR | Degraded.EXHAUSTED)
        catalogue, allowed = ranked.catalogue, rules.allowed(ranked.catalogue)
        keep = slice(None) if allowed is None else allowed[ranked.indexes]
        indexes, scores = ranked.indexes[keep][:top_k], ranked.scores[keep][:top_k]
        sources = [ranked.source] * len(indexes)
        degraded = ranked.degraded
        wanted = min(top_k, len(catalogue.item_ids) if allowed is None else int(allowed.sum()))
        if len(indexes) < wanted and ranked.source != "popular":
            more = await asyncio.to_thread(self._fallback.popular, question.user_id, rules)
            if more is not None and more.catalogue is catalogue:
                extra = _first_new(more.indexes, indexes, wanted - len(indexes))
                scores = np.concatenate([scores, _below(scores, len(extra))])
                indexes = np.concatenate([indexes, extra])
                sources += [more.source] * len(extra)
        if len(indexes) < min(top_k, len(catalogue.item_ids)):
            degraded |= Degraded.EXHAUSTED
        return Answer(catalogue, indexes.tolist(), scores.tolist(), sources, degraded)


def _first_new(offered: NDArray[np.int64], taken: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    fresh: NDArray[np.int64] = offered[~np.isin(offered, taken)][:count]
    return fresh


def _below(scores: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Falling scores below the lowest of some, so that the list stays in the order of its scores."""
    lowest = float(scores[-1]) if len(scores) else 1.0
    steps = 1.0 / (2.0 + np.arange(count))
    return lowest * steps if lowest > 0 else lowest - 1.0 + steps


class _Stopwatch:
    """Milliseconds between laps."""

    def __init__(self) -> None:
        self.start = self._last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round((now - self._last) * 1000, 3)
        self._last = now
