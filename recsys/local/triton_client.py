"""One question to the ensemble over Triton's HTTP interface, without any client library to import."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from recsys.errors import Unavailable
from recsys.schema import NO_ITEM

ENSEMBLE_PATH = "/v2/models/ensemble_model/infer"
_DATATYPES = {"user_id": "INT64", "device_type": "INT32", "timestamp": "INT64"}


@dataclass(frozen=True)
class Answer:
    """What the ensemble recommends to one user.

    Attributes:
        item_ids: The shop's ids, best first, pads left out.
        scores: One for each item.
        degraded: Sum of `recsys.schema.Degraded`.
    """

    item_ids: list[int]
    scores: list[float]
    degraded: int


def infer(
    address: str,
    *,
    user_id: int,
    device_type: int | None = None,
    timestamp: int | None = None,
    timeout_s: float = 2.0,
) -> Answer:
    """Ask for one user's recommendations.

    Args:
        address: host:port of Triton's HTTP interface.
        user_id: The shop's id.
        device_type: A value of `recsys.schema.DEVICES`; None: unknown.
        timestamp: Unix seconds; None: now.
        timeout_s: Time limit in seconds.

    Raises:
        Unavailable: Triton refused, failed, or did not answer in time.
    """
    given = {"user_id": user_id, "device_type": device_type, "timestamp": timestamp}
    body = request_body({name: value for name, value in given.items() if value is not None})
    request = urllib.request.Request(f"http://{address}{ENSEMBLE_PATH}", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310 - always http
            outputs = {one["name"]: one["data"] for one in json.load(response)["outputs"]}
    except urllib.error.HTTPError as error:
        raise Unavailable("Triton", _refusal(error), "See `recsys status` and its log") from error
    except (OSError, ValueError) as error:
        cause = str(getattr(error, "reason", error)) or type(error).__name__
        raise Unavailable(f"Triton at {address}", cause, "Start it with `recsys up`") from error
    pairs = zip(outputs["ordered_ids"], outputs["ordered_scores"], strict=True)
    kept = [(int(item), float(score)) for item, score in pairs if item != NO_ITEM]
    return Answer([item for item, _ in kept], [score for _, score in kept], int(outputs["degraded"][0]))


def request_body(values: dict[str, int]) -> dict[str, Any]:
    """The JSON body of a request for one user.

    Args:
        values: Input name to value; inputs that are left out get the ensemble's defaults.
    """
    return {
        "inputs": [
            {"name": name, "datatype": _DATATYPES[name], "shape": [1, 1], "data": [value]}
            for name, value in values.items()
        ]
    }


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"HTTP status {error.code}"
