"""The gateway's part in a trial: copies for the challenger, users that it answers, and a record of both.

Nothing here delays an answer: what is written goes through a queue of bounded length, and what does not fit
is dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Sequence

import redis
from prometheus_client import CollectorRegistry

from recsys.errors import RecsysError
from recsys.online import exposures, requests, shadow, trial
from recsys.online.balance import Answering
from recsys.online.canary import arm
from recsys.online.clock import wall_ms
from recsys.online.exposures import Exposure
from recsys.online.question import Question
from recsys.online.requests import Request
from recsys.online.trial_metrics import TrialMetrics
from recsys.schema import UNKNOWN
from recsys.serving.client import Recommendation
from recsys.settings import TrialSettings

_log = logging.getLogger(__name__)

_SHADOW_LIMIT_S = 2.0
_SHADOWS_AT_ONCE = 4


class TrialService:
    """Stands before the way to Triton and does what the trial says.

    Args:
        served: The way to the release that is served.
        challenger: The way to the challenger.
        client: Client of Valkey.
        settings: Bounds and rhythm.
        metrics: What is counted.
        seed: Of the choice of requests that are copied.
    """

    def __init__(
        self,
        served: Answering,
        challenger: Answering,
        client: redis.Redis,
        settings: TrialSettings,
        *,
        metrics: TrialMetrics | None = None,
        seed: int = 0,
    ) -> None:
        self._served = served
        self._challenger = challenger
        self._client = client
        self._settings = settings
        self._metrics = metrics or TrialMetrics(CollectorRegistry())
        self._random = random.Random(seed)
        self.trial: trial.Trial | None = None
        self._exposures: deque[Exposure] = deque(maxlen=settings.queue)
        self._request: Request | None = None
        self._record_at = 0.0
        self._sums = shadow.Sums()
        self._copies: set[asyncio.Task[None]] = set()
        self._refreshing: asyncio.Task[None] | None = None

    async def recommend(
        self, question: Question, deadline: float, headers: dict[str, str] | None = None
    ) -> Recommendation:
        """One user's answer: the challenger's for its share of users, else the served release's.

        A challenger that fails is passed over, as long as there is time.

        Args:
            question: Who is asked for.
            deadline: See `Ensemble.recommend`.
            headers: See `Ensemble.recommend`.

        Raises:
            Unavailable: No release answered in time.
        """
        self._note(question)
        tried = self.trial
        if tried and arm(question.user_id, tried) == "challenger":
            began = time.monotonic()
            try:
                answer = await self._challenger.recommend(question, began + (deadline - began) / 2, headers)
            except RecsysError as error:
                self._metrics.canary.labels("failed").inc()
                _log.warning("the challenger did not answer: %s", error)
            else:
                self._metrics.canary.labels("answered").inc()
                return answer
        began = time.monotonic()
        found = await self._served.recommend(question, deadline, headers)
        if tried and self._random.random() < tried.shadow:
            self._copy(question, found, time.monotonic() - began)
        return found

    async def is_ready(self, timeout_s: float) -> bool:
        """Whether the served release can be asked."""
        return await self._served.is_ready(timeout_s)

    def expose(
        self,
        user_id: int,
        release: int | None,
        items: Sequence[int],
        propensities: Sequence[float] = (),
        device_type: int = UNKNOWN,
    ) -> None:
        """Note what a user was shown, if the user is part of a trial or the answer explored.

        Args:
            user_id: The user; -1 for an anonymous visitor.
            release: The release that answered.
            items: The shop's ids, best first.
            propensities: The chance of each place; none where nothing was explored.
            device_type: What the user looked at it on.
        """
        tried = self.trial
        group = arm(user_id, tried) if tried else None
        if release is None or (group is None and not propensities):
            return
        if tried is not None and group == "control" and release == tried.release:
            return  # Promoted meanwhile: there is nothing left to compare with.
        assigned = tried.release if tried is not None and group == "challenger" else release
        count = self._settings.shown
        self._metrics.exposures.inc()
        self._exposures.append(
            Exposure(
                user_id, assigned, wall_ms(), tuple(items[:count]), tuple(propensities[:count]), device_type
            )
        )

    def start(self) -> None:
        """Begin to follow the trial; within the event loop."""
        self._refreshing = asyncio.create_task(self._refresh())

    async def close(self) -> None:
        """Write what waits and close the connections; copies under way are left to themselves."""
        if self._refreshing:
            self._refreshing.cancel()
        try:
            await asyncio.to_thread(self._write)
        except RecsysError as error:
            _log.warning("the last exposures are lost: %s", error)
        await self._served.close()
        await self._challenger.close()

    async def _refresh(self) -> None:
        while True:
            try:
                self.trial = await asyncio.to_thread(self._exchange)
            except RecsysError as error:
                _log.warning("the trial stays as it was: %s", error)
            except Exception:  # noqa: BLE001 - a trial must never end the gateway's own work
                _log.exception("the trial stays as it was")
            await asyncio.sleep(self._settings.refresh_s)

    def _exchange(self) -> trial.Trial | None:
        self._write()
        return trial.read(self._client)

    def _write(self) -> None:
        """Send what has gathered; what cannot be sent is dropped, since the next is more of the same."""
        waiting = [self._exposures.popleft() for _ in range(len(self._exposures))]
        sums, self._sums = self._sums, shadow.Sums()
        request, self._request = self._request, None
        if request:
            requests.keep(self._client, request, self._settings.recorded)
        if waiting:
            exposures.write(self._client, waiting, self._settings.exposures)
        if sums != shadow.Sums():
            shadow.add(self._client, sums)

    def _note(self, question: Question) -> None:
        now = time.monotonic()
        if now < self._record_at:
            return
        self._record_at = now + self._settings.record_every_s
        device = UNKNOWN if question.device_type is None else question.device_type
        at = int(time.time()) if question.timestamp is None else question.timestamp
        self._request = Request(question.user_id, device, at)

    def _copy(self, question: Question, found: Recommendation, seconds: float) -> None:
        if len(self._copies) >= _SHADOWS_AT_ONCE:
            self._sums.dropped += 1
            self._metrics.copies.labels("dropped").inc()
            return
        task = asyncio.create_task(self._shadow(question, found, seconds))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def _shadow(self, question: Question, found: Recommendation, seconds: float) -> None:
        began = time.monotonic()
        try:
            other = await self._challenger.recommend(question, began + _SHADOW_LIMIT_S)
        except RecsysError:
            self._sums.failed += 1
            self._metrics.copies.labels("failed").inc()
            return
        self._count(found, other, seconds, time.monotonic() - began)

    def _count(
        self, found: Recommendation, other: Recommendation, served_s: float, challenger_s: float
    ) -> None:
        overlap, shift = shadow.overlap(found, other), shadow.shift(found, other)
        self._sums.copies += 1
        self._sums.degraded += bool(other.degraded)
        self._sums.overlap += overlap
        self._sums.shift += shift
        self._sums.served_ms += served_s * 1000
        self._sums.challenger_ms += challenger_s * 1000
        self._metrics.copies.labels("answered").inc()
        self._metrics.overlap.observe(overlap)
        self._metrics.shift.observe(shift)
        self._metrics.seconds.labels("served").observe(served_s)
        self._metrics.seconds.labels("challenger").observe(challenger_s)
