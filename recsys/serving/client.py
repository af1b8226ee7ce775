"""A small client of the ensemble over gRPC; every call has a time limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from recsys.errors import BadUse, Unavailable
from recsys.schema import DEVICES, NO_ITEM
from recsys.serving.graph import ENSEMBLE, ENSEMBLE_INPUTS, ENSEMBLE_OUTPUTS, PROPENSITIES
from recsys.serving.tensors import TENSORS

_TYPES: Final = {"int32": "INT32", "int64": "INT64", "float32": "FP32"}
_REFUSED: Final = ("StatusCode.INVALID_ARGUMENT", "StatusCode.NOT_FOUND")


@dataclass(frozen=True)
class Recommendation:
    """One user's answer.

    Attributes:
        ids: The shop's item ids, best first; no pads, no duplicates.
        scores: One for each id, never rising.
        degraded: Bits of `recsys.schema.Degraded`: what came from a fallback.
        release: The number of the release that answered.
        sources: Bits of `recsys.schema.Source` for each id: which candidates it was among.
        propensities: The chance of each place given those before it, where that was asked for.
    """

    ids: list[int]
    scores: list[float]
    degraded: int
    release: int
    sources: list[int] = field(default_factory=list)
    propensities: list[float] = field(default_factory=list)


def recommendations(answer: Any, top: int | None = None, *, explored: bool = False) -> list[Recommendation]:
    """Each user's part of what the ensemble answered.

    Args:
        answer: The result of a call to the ensemble that asked for all its outputs.
        top: At most so many items for each user; None for all.
        explored: Whether the call asked for `PROPENSITIES` too.
    """
    ids, scores, degraded, sources = (answer.as_numpy(name) for name in ENSEMBLE_OUTPUTS)
    chances = answer.as_numpy(PROPENSITIES) if explored else None
    release = int(answer.get_response().model_version or 0)
    found = []
    for row, bits in enumerate(degraded[:, 0].tolist()):
        count = min(int((ids[row] != NO_ITEM).sum()), top or ids.shape[1])
        items, worth, named = (each[row, :count].tolist() for each in (ids, scores, sources))
        own = [] if chances is None else chances[row, :count].tolist()
        found.append(Recommendation(items, worth, bits, release, named, own))
    return found


class RecommendClient:
    """Asks a running Triton for recommendations.

    Args:
        grpc_url: `host:port` of its gRPC service.
        timeout_s: Time limit of a call, in seconds.
    """

    def __init__(self, grpc_url: str, timeout_s: float = 2.0) -> None:
        self._url = grpc_url
        self._timeout_s = timeout_s
        self._client = InferenceServerClient(grpc_url)
        self._outputs = [InferRequestedOutput(name) for name in ENSEMBLE_OUTPUTS]

    def recommend(
        self,
        user_ids: Sequence[int] | np.ndarray,
        device: str | int | ArrayLike | None = None,
        timestamp: int | ArrayLike | None = None,
        top: int | None = None,
    ) -> list[Recommendation]:
        """Recommend to a batch of users in one request.

        Args:
            user_ids: [B] ids, any int64; an unknown one is a visitor without history.
            device: mobile, desktop, tablet or its number, for all users or one number for each; None if
                it is not known.
            timestamp: Unix seconds for all users or one for each; None for now.
            top: At most so many items for each user; None for all that the ensemble returns.

        Returns:
            One recommendation for each user, in their order.

        Raises:
            BadUse: An argument cannot be, or the server refused the request.
            Unavailable: The server did not answer in time or failed.
        """
        if top is not None and top < 1:
            raise BadUse(f"top {top}", "must be 1 or more", "Ask for at least one item")
        users = _column("user_id", user_ids)
        inputs = {"user_id": users}
        if device is not None:
            inputs["device_type"] = _column("device_type", _device_number(device), len(users))
        if timestamp is not None:
            inputs["timestamp"] = _column("timestamp", timestamp, len(users))
        return recommendations(self._infer(inputs), top)

    def is_ready(self) -> bool:
        """Whether the ensemble is served; the answer comes over the connection that requests go over.

        Raises:
            Unavailable: The server did not answer in time.
        """
        try:
            return bool(self._client.is_model_ready(ENSEMBLE, client_timeout=self._timeout_s))
        except InferenceServerException as error:
            cause = " ".join(str(error.message()).split()) or str(error.status())
            raise Unavailable(f"Triton at {self._url}", cause, "See `recsys status`") from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> RecommendClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _infer(self, inputs: dict[str, np.ndarray]) -> Any:
        ports = []
        for name in ENSEMBLE_INPUTS:
            if name in inputs:
                port = InferInput(name, inputs[name].shape, _TYPES[inputs[name].dtype.name])
                port.set_data_from_numpy(inputs[name])
                ports.append(port)
        try:
            return self._client.infer(ENSEMBLE, ports, outputs=self._outputs, client_timeout=self._timeout_s)
        except InferenceServerException as error:
            message = " ".join(str(error.message()).split())
            if error.status() in _REFUSED:
                raise BadUse("recommendation", message, "Correct the request") from error
            cause = message or str(error.status())
            raise Unavailable(f"Triton at {self._url}", cause, "See `recsys status`") from error


def _device_number(device: str | int | ArrayLike) -> ArrayLike:
    if not isinstance(device, str):
        return device
    if device not in DEVICES:
        raise BadUse(f"device {device!r}", "not known", f"Use {', '.join(DEVICES)}")
    return DEVICES[device]


def _column(name: str, values: ArrayLike, rows: int | None = None) -> np.ndarray:
    """Values as [B, 1] of the input's dtype; one value is repeated for all rows."""
    dtype = TENSORS[name].dtype
    given = np.asarray(values)
    column = given.reshape(-1, 1) if given.ndim else np.full((rows or 1, 1), given)
    limits = np.iinfo(dtype)
    if not column.size or column.dtype.kind not in "iu":
        cause = "is empty" if not column.size else f"holds {given.dtype}, or a number that is too large"
    elif not (limits.min <= int(column.min()) and int(column.max()) <= limits.max):
        cause = f"goes beyond {dtype}"
    elif rows not in (None, len(column)):
        cause = f"has {len(column)} values for {rows} users"
    else:
        return column.astype(dtype)
    raise BadUse(name, cause, f"Give whole {dtype} numbers, one for each user")
