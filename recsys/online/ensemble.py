"""The gateway's way to Triton: one user's question over asyncio gRPC, with a deadline and a breaker.

A call that takes too long is left to itself and not cancelled: Triton crashes now and then when a call is
cancelled that it is working on (triton-inference-server/server issues 7368 and 8034), and a gRPC deadline
is a cancellation. Calls under way are counted, those left to themselves too, and there is a limit to
them: what Triton cannot keep up with is answered from a fallback at once and does not queue.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from recsys.errors import Unavailable
from recsys.schema import NO_ITEM
from recsys.serving.breaker import Breaker
from recsys.serving.client import Recommendation
from recsys.serving.graph import ENSEMBLE, ENSEMBLE_OUTPUTS
from recsys.serving.tensors import TENSORS

_TYPES: Final = {"int32": "INT32", "int64": "INT64", "float32": "FP32"}
_ABANDONED_S: Final = 30.0  # when a call that was left to itself is cancelled after all: Triton is gone
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


@dataclass(frozen=True)
class Question:
    """What is asked of the ensemble for one user.

    Attributes:
        user_id: The shop's user; -1 for an anonymous visitor.
        device_type: A value of `schema.DEVICES`; None if it is not known.
        timestamp: Unix seconds; None for now.
    """

    user_id: int
    device_type: int | None = None
    timestamp: int | None = None


class Ensemble:
    """Asks `ensemble_model`; to be made and used within one event loop.

    Args:
        grpc: `host:port` of Triton's gRPC service.
        limit: Most calls under way.
        breaker: Guards Triton.
    """

    def __init__(self, grpc: str, limit: int = 32, breaker: Breaker | None = None) -> None:
        self._grpc = grpc
        self._limit = limit
        self._under_way: set[asyncio.Future[Any]] = set()
        self._breaker = breaker or Breaker(failures=3, cooldown_s=0.25, longest_s=1.0)
        self._client = InferenceServerClient(grpc, channel_args=_CHANNEL)
        self._outputs = [InferRequestedOutput(name) for name in ENSEMBLE_OUTPUTS]

    async def recommend(
        self, question: Question, deadline: float, headers: dict[str, str] | None = None
    ) -> Recommendation:
        """One user's answer.

        Args:
            question: Who is asked for.
            deadline: Moment of the monotonic clock, in seconds, at which the caller stops waiting. Triton is
                told as the request's `timeout`, after which its queues may drop it.
            headers: Sent along, for tracing.

        Raises:
            Unavailable: Triton did not answer in time, refused, has too much to do, or is being left alone by
                the breaker.
        """
        if len(self._under_way) >= self._limit:
            # Not a failure of Triton's, so the breaker is not told.
            raise Unavailable("Triton", f"{self._limit} calls are under way", "Add replicas")
        return await self._breaker.call_async(self._ask, question, deadline, headers)

    async def is_ready(self, timeout_s: float) -> bool:
        """Whether Triton serves the ensemble.

        Args:
            timeout_s: How long it may take to answer.
        """
        try:
            return bool(await self._client.is_model_ready(ENSEMBLE, client_timeout=timeout_s))
        except InferenceServerException:
            return False

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def _ask(
        self, question: Question, deadline: float, headers: dict[str, str] | None
    ) -> Recommendation:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise Unavailable("Triton", "no time left to ask it", "Allow a longer deadline")
        call = asyncio.ensure_future(
            self._client.infer(
                ENSEMBLE,
                _inputs(question),
                outputs=self._outputs,
                client_timeout=_ABANDONED_S,
                timeout=int(left_s * 1e6),
                headers=headers,
            )
        )
        self._under_way.add(call)
        call.add_done_callback(self._settle)
        await asyncio.wait({call}, timeout=left_s)
        if not call.done():
            raise Unavailable(
                f"Triton at {self._grpc}", f"no answer in {left_s:.3f} s", "See `recsys status`"
            )
        try:
            answer = call.result()
        except InferenceServerException as error:
            cause = " ".join(str(error.message()).split()) or str(error.status())
            raise Unavailable(f"Triton at {self._grpc}", cause, "See `recsys status`") from error
        ids, scores, degraded = (answer.as_numpy(name)[0] for name in ENSEMBLE_OUTPUTS)
        count = int((ids != NO_ITEM).sum())
        release = int(answer.get_response().model_version or 0)
        return Recommendation(ids[:count].tolist(), scores[:count].tolist(), int(degraded[0]), release)

    def _settle(self, call: asyncio.Future[Any]) -> None:
        self._under_way.discard(call)
        if not call.cancelled():
            call.exception()  # looked at, so that an answer nobody waits for any more is not reported as lost


def _inputs(question: Question) -> list[Any]:
    given = {
        "user_id": question.user_id,
        "device_type": question.device_type,
        "timestamp": question.timestamp,
    }
    ports = []
    for name, value in given.items():
        if value is not None:
            column = np.array([[value]], dtype=TENSORS[name].dtype)
            port = InferInput(name, column.shape, _TYPES[column.dtype.name])
            port.set_data_from_numpy(column)
            ports.append(port)
    return ports
