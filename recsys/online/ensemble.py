"""The gateway's way to Triton: users' questions over asyncio gRPC, with deadlines and a breaker.

Users who ask at about the same time share a call; see `recsys.online.batching`.

A call that takes too long is left to itself and not cancelled: Triton crashes now and then when a call is
cancelled that it is working on (triton-inference-server/server issues 7368 and 8034), and a gRPC deadline
is a cancellation. Calls under way are counted, those left to themselves too, and there is a limit to
them: what Triton cannot keep up with is answered from a fallback at once and does not queue.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from recsys.errors import RecsysError, Unavailable
from recsys.online.batching import Batcher, Late, Limits
from recsys.online.question import Question, columns
from recsys.serving.breaker import Breaker
from recsys.serving.client import Recommendation, recommendations
from recsys.serving.graph import ENSEMBLE, ENSEMBLE_OUTPUTS, PROPENSITIES

_TYPES: Final = {"int32": "INT32", "int64": "INT64", "float32": "FP32"}
_ABANDONED_S: Final = 30.0  # when a call that was left to itself is cancelled after all: Triton is gone
# Errors that say nothing about what was asked: asking each user of a batch alone would not help.
_NOBODYS_FAULT: Final = ("StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED", "StatusCode.CANCELLED")
# gRPC waits up to two minutes between attempts to connect; a Triton that is back is to be met at once.
_CHANNEL: Final = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Where the name stands for many replicas (`dns:///…` of a headless service), each gets its share.
    ("grpc.lb_policy_name", "round_robin"),
]


_Asked = tuple[Question, dict[str, str] | None]
"""A question and the headers to be sent along."""


class Ensemble:
    """Asks an ensemble, `ensemble_model` by default; to be made and used within one event loop.

    Args:
        grpc: `host:port` of Triton's gRPC service.
        limit: Most calls under way, those left to themselves among them.
        breaker: Guards Triton.
        batching: How users are gathered into calls.
        model: Which ensemble is asked.
        explores: Whether it explores unasked, so that each call wants the chances.
    """

    def __init__(
        self,
        grpc: str,
        limit: int = 32,
        breaker: Breaker | None = None,
        batching: Limits | None = None,
        model: str = ENSEMBLE,
        *,
        explores: bool = False,
    ) -> None:
        self._grpc = grpc
        self._model = model
        self._name = f"Triton at {grpc}"
        self._limit = limit
        self._batcher: Batcher[_Asked, Recommendation] = Batcher(self._ask, self._name, batching or Limits())
        self._under_way = 0
        self._breaker = breaker or Breaker(failures=3, cooldown_s=0.25, longest_s=1.0)
        self._client = InferenceServerClient(grpc, channel_args=_CHANNEL)
        self._explores = explores
        self._outputs = [InferRequestedOutput(name) for name in (*ENSEMBLE_OUTPUTS, PROPENSITIES)]

    async def recommend(
        self, question: Question, deadline: float, headers: dict[str, str] | None = None
    ) -> Recommendation:
        """One user's answer.

        Args:
            question: Who is asked for.
            deadline: Moment of the monotonic clock, in seconds, at which the caller stops waiting. Triton is
                told as the request's `timeout`, after which its queues may drop it.
            headers: Sent along, for tracing; of callers who share a call, the first one's.

        Raises:
            Unavailable: Triton did not answer in time, refused, has too much to do, or is being left alone by
                the breaker.
        """
        crowded = 0 < deadline - time.monotonic() < self._batcher.expected_s()
        if self._under_way >= self._limit or crowded:
            # Not a failure of Triton's, so the breaker is not told.
            raise Unavailable("Triton", "too many wait for it already", "Add replicas")
        answer = await self._breaker.call_async(self._answer, (question, headers), deadline)
        if isinstance(answer, Late):
            raise answer
        return answer

    async def is_ready(self, timeout_s: float) -> bool:
        """Whether Triton serves the ensemble.

        Args:
            timeout_s: How long it may take to answer.
        """
        try:
            return bool(await self._client.is_model_ready(self._model, client_timeout=timeout_s))
        except InferenceServerException:
            return False

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def _answer(self, asked: _Asked, deadline: float) -> Recommendation | Late:
        """One user's answer; an answer that is late while others get theirs is no failure of Triton's."""
        began = time.monotonic()
        try:
            return await self._batcher.ask(asked, deadline)
        except Late as late:
            if self._batcher.answered_at < began:
                raise
            return late

    async def _ask(self, asked: Sequence[_Asked], deadline: float) -> list[Recommendation]:
        """One call for all of them."""
        self._under_way += 1
        explored = self._explores or any(question.explore for question, _ in asked)
        try:
            answer = await self._client.infer(
                self._model,
                _inputs([question for question, _ in asked]),
                outputs=self._outputs if explored else self._outputs[:-1],
                client_timeout=_ABANDONED_S,
                timeout=max(1, int((deadline - time.monotonic()) * 1e6)),
                headers=next((headers for _, headers in asked if headers), None),
            )
        except InferenceServerException as error:
            cause = " ".join(str(error.message()).split()) or str(error.status())
            if len(asked) > 1 and error.status() not in _NOBODYS_FAULT:
                raise RecsysError(self._name, cause, "Ask for each user alone") from error
            raise Unavailable(self._name, cause, "See `recsys status`") from error
        finally:
            self._under_way -= 1
        return recommendations(answer, explored=explored)


def _inputs(questions: Sequence[Question]) -> list[Any]:
    """The ensemble's inputs: without what nobody gives; what some do not give is neutral for them."""
    ports = []
    for name, column in columns(questions).items():
        port = InferInput(name, column.shape, _TYPES[column.dtype.name])
        port.set_data_from_numpy(column)
        ports.append(port)
    return ports
