"""One answer: the ensemble's if it can be had in time, else the best fallback, under the shop's rules."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.errors import RecsysError
from recsys.online.balance import Answering
from recsys.online.catalogue import Catalogue, Catalogues
from recsys.online.fallback import POPULAR, Fallback, Ranked
from recsys.online.question import Question
from recsys.online.rules import Rules
from recsys.schema import NO_ITEM, Degraded, Source
from recsys.serving.client import Recommendation
from recsys.settings import GatewaySettings
from recsys.tracing import NoTracer, Tracer

_log = logging.getLogger(__name__)

ENSEMBLE: Final = "ensemble"
_MEMORY_S: Final = 0.05  # kept of the deadline for an answer out of memory
_THREADS: Final = 16


@dataclass(frozen=True)
class Answer:
    """What a shop is told.

    Attributes:
        catalogue: Where the items are; None when no release was ever read.
        indexes: Rows of the catalogue, best first, none twice.
        scores: One for each, never rising.
        sources: Which rung of the ladder each came from.
        candidate_of: Which lists of the ensemble's candidates each was among.
        propensities: The chance of each place given those before it, 0 where a fallback filled it; empty
            where nothing was explored.
        degraded: What of it came from a fallback.
        timings_ms: Milliseconds by part.
    """

    catalogue: Catalogue | None
    indexes: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    candidate_of: list[Source] = field(default_factory=list)
    degraded: Degraded = Degraded.NONE
    timings_ms: dict[str, float] = field(default_factory=dict)
    propensities: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Wish:
    """What is wanted.

    Attributes:
        question: Who is asked for.
        rules: What may be shown.
        top_k: At most so many items.
        deadline_s: How long it may take, at most the settings' own; None for that.
        headers: Sent along to Triton.
    """

    question: Question
    rules: Rules = field(default_factory=Rules)
    top_k: int = 10
    deadline_s: float | None = None
    headers: dict[str, str] | None = None


class Recommender:
    """The ladder: ensemble, batch answer, popular items.

    Args:
        ensemble: Way to Triton.
        fallback: The rungs below it.
        catalogues: The releases.
        settings: Deadline, and whether batch answers come first.
        tracer: Makes spans of the rungs.
    """

    def __init__(
        self,
        ensemble: Answering,
        fallback: Fallback,
        catalogues: Catalogues,
        settings: GatewaySettings,
        tracer: Tracer | None = None,
    ) -> None:
        self._ensemble = ensemble
        self._fallback = fallback
        self._catalogues = catalogues
        self._settings = settings
        self._tracer = tracer or NoTracer()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fallback")

    async def recommend(self, wish: Wish) -> Answer:
        """Answer one user; this does not fail.

        Args:
            wish: What is wanted.
        """
        clock = _Stopwatch()
        allowed_s = min(wish.deadline_s or self._settings.deadline_s, self._settings.deadline_s)
        deadline = clock.start + allowed_s
        ranked = None
        if self._settings.mode == "precomputed":
            ranked = await self._precomputed(wish, deadline)
            clock.lap("precomputed")
        if ranked is None:
            reserve_s = min(self._settings.reserve_s, allowed_s / 2)
            try:
                ranked = await self._asked(wish, deadline - reserve_s)
                clock.lap("ensemble")
            except RecsysError as error:
                clock.lap("ensemble")
                _log.warning("answered without the ensemble: %s", error)
                ranked = await self._without_ensemble(wish, deadline)
                clock.lap("fallback")
        answer = await self._choose(ranked, wish, deadline)
        clock.lap("rules")
        return replace(answer, timings_ms=clock.laps)

    def close(self) -> None:
        """Finish what is under way."""
        self._threads.shutdown()
        self._fallback.close()

    async def _asked(self, wish: Wish, deadline: float) -> Ranked:
        with self._tracer.span("ensemble", "client"):
            headers = self._tracer.headers() | (wish.headers or {})
            found = await self._ensemble.recommend(self._question(wish), deadline, headers or None)
            return self._ranked(found)

    def _question(self, wish: Wish) -> Question:
        """The question, with the rules as far as the ensemble keeps to them; `_choose` sees to the rest."""
        top_k = wish.top_k if wish.question.is_chosen else None
        asked = wish.rules.asked_for(self._fallback.catalogue())
        return replace(wish.question, top_k=top_k, **asked)

    def _ranked(self, found: Recommendation) -> Ranked:
        catalogue = self._catalogues.of(found.release)
        indexes = catalogue.indexes(np.array(found.ids, dtype=np.int64))
        scores = np.array(found.scores, dtype=np.float64)
        sources = np.array(found.sources or [Source.RETRIEVAL] * len(found.ids), dtype=np.int32)
        known = indexes != NO_ITEM
        degraded = Degraded(found.degraded)
        chances = np.array(found.propensities)[known] if found.propensities else None
        return Ranked(catalogue, indexes[known], scores[known], degraded, ENSEMBLE, sources[known], chances)

    async def _without_ensemble(self, wish: Wish, deadline: float) -> Ranked | None:
        ranked = None
        with self._tracer.span("fallback"):
            if self._settings.mode != "precomputed":
                ranked = await self._precomputed(wish, deadline)
            return ranked or await self._popular(wish, deadline)

    async def _precomputed(self, wish: Wish, deadline: float) -> Ranked | None:
        task = self._start(lambda: self._fallback.precomputed(wish.question.user_id))
        return await _in_time(task, deadline)

    async def _popular(self, wish: Wish, deadline: float) -> Ranked | None:
        """The popular items, out of memory alone when Valkey takes too long over them."""
        user = wish.question.user_id
        task = self._start(lambda: self._fallback.popular(user, wish.rules))
        found = await _in_time(task, deadline)
        return found or self._fallback.popular(user, wish.rules, from_memory=True)

    def _start(self, work: Callable[[], Ranked | None]) -> asyncio.Future[Ranked | None]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _choose(self, ranked: Ranked | None, wish: Wish, deadline: float) -> Answer:
        """The first items that the rules allow, filled up with popular ones where too few are left."""
        if ranked is None:
            return Answer(None, degraded=Degraded.POPULAR | Degraded.EXHAUSTED)
        catalogue, allowed = ranked.catalogue, wish.rules.allowed(ranked.catalogue)
        keep = slice(None) if allowed is None else allowed[ranked.indexes]
        indexes, scores = ranked.indexes[keep][: wish.top_k], ranked.scores[keep][: wish.top_k]
        sources = [ranked.source] * len(indexes)
        among = [] if ranked.candidate_of is None else ranked.candidate_of[keep][: wish.top_k].tolist()
        chances = [] if ranked.propensities is None else ranked.propensities[keep][: wish.top_k].tolist()
        degraded = ranked.degraded
        most = len(catalogue.item_ids) if allowed is None else int(allowed.sum())
        wanted = min(wish.top_k, most) - len(indexes)
        if wanted > 0 and ranked.source != POPULAR:
            more = await self._popular(wish, deadline)
            if more is not None and more.catalogue is catalogue:
                extra = _first_new(more.indexes, indexes, wanted)
                scores = np.concatenate([scores, _below(scores, len(extra))])
                indexes = np.concatenate([indexes, extra])
                sources += [more.source] * len(extra)
        if len(indexes) < min(wish.top_k, len(catalogue.item_ids)):
            degraded |= Degraded.EXHAUSTED
        among += [0] * (len(indexes) - len(among))
        chances += [0.0] * (len(indexes) - len(chances)) if chances else []
        candidate_of = [Source(bits) for bits in among]
        found = Answer(catalogue, indexes.tolist(), scores.tolist(), sources, candidate_of, degraded)
        return replace(found, propensities=chances)


async def _in_time(task: asyncio.Future[Ranked | None], deadline: float) -> Ranked | None:
    """What a task gives, or None when it takes too long; it is left to itself then."""
    left_s = deadline - _MEMORY_S - time.monotonic()
    await asyncio.wait({task}, timeout=max(0.0, left_s))
    return task.result() if task.done() else None


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
