"""The gateway's way to Triton: one user's question over asyncio gRPC, with a deadline and a breaker."""

from __future__ import annotations

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
# gRPC waits up to two minutes between attempts to connect; a Triton that is back is to be met at once.
_CHANNEL: Final = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
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
        breaker: Guards Triton.
    """

    def __init__(self, grpc: str, breaker: Breaker | None = None) -> None:
        self._grpc = grpc
        self._breaker = breaker or Breaker(failures=3, cooldown_s=0.5)
        self._client = InferenceServerClient(grpc, channel_args=_CHANNEL)
        self._outputs = [InferRequestedOutput(name) for name in ENSEMBLE_OUTPUTS]

    async def recommend(
        self, question: Question, deadline: float, headers: dict[str, str] | None = None
    ) -> Recommendation:
        """One user's answer.

        Args:
            question: Who is asked for.
            deadline: Moment of the monotonic clock, in seconds, at which the caller stops waiting. Triton is
                told, and drops what it cannot answer in time.
            headers: Sent along, for tracing.

        Raises:
            Unavailable: Triton did not answer in time, refused, or is being left alone by the breaker.
        """
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
        try:
            answer = await self._client.infer(
                ENSEMBLE,
                _inputs(question),
                outputs=self._outputs,
                client_timeout=left_s,
                timeout=int(left_s * 1e6),
                headers=headers,
            )
        except InferenceServerException as error:
            cause = " ".join(str(error.message()).split()) or str(error.status())
            raise Unavailable(f"Triton at {self._grpc}", cause, "See `recsys status`") from error
        ids, scores, degraded = (answer.as_numpy(name)[0] for name in ENSEMBLE_OUTPUTS)
        count = int((ids != NO_ITEM).sum())
        release = int(answer.get_response().model_version or 0)
        return Recommendation(ids[:count].tolist(), scores[:count].tolist(), int(degraded[0]), release)


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
