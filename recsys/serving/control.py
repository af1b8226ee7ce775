"""Triton's model control and plain inference over HTTP: what a promotion needs, every call with a time limit.

Over HTTP and not gRPC, because giving up a gRPC call cancels it, and Triton crashes now and then when a call
is cancelled that it is working on.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from recsys.errors import RecsysError, Unavailable
from recsys.serving.tensors import TENSORS

_TYPES: Final = {"int32": "INT32", "int64": "INT64", "float32": "FP32"}
_DTYPES: Final = {word: np.dtype(name) for name, word in _TYPES.items()}
_FIX: Final = "See the replica's log"


class Control:
    """One Triton's HTTP service.

    Args:
        http: `host:port`.
        key: What model control asks for in the header `admin-key`; None where it asks for nothing.
        timeout_s: Time limit of a call, in seconds; loading a model takes as long as its release is large.
    """

    def __init__(self, http: str, key: str | None = None, timeout_s: float = 60.0) -> None:
        self.http = http
        self._headers = {"admin-key": key} if key else {}
        self._timeout_s = timeout_s

    def load(self, name: str) -> None:
        """Load a model as the repository says now; returns when it answers.

        Raises:
            RecsysError: It does not load; what was loaded of it before still is.
            Unavailable: The server does not answer in time.
        """
        self._post(f"/v2/repository/models/{name}/load", {})

    def unload(self, name: str) -> None:
        """Unload a model; calls under way are answered first. One that is not loaded is no error.

        Raises:
            Unavailable: The server does not answer in time.
        """
        self._post(f"/v2/repository/models/{name}/unload", {"parameters": {"unload_dependents": False}})

    def states(self) -> dict[tuple[str, int], str]:
        """State of every model and version that is or was loaded, such as READY, UNLOADING or UNAVAILABLE.

        Raises:
            Unavailable: The server does not answer in time.
        """
        found = self._post("/v2/repository/index", {})
        return {
            (each["name"], int(each["version"])): each.get("state", "") for each in found if "version" in each
        }

    def infer(self, name: str, inputs: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
        """Ask a model.

        Args:
            name: Which.
            inputs: [B, ...] arrays by input name, of the dtypes in `recsys.serving.tensors`.

        Returns:
            Its outputs by name, and its version.

        Raises:
            RecsysError: The model refused or failed.
            Unavailable: The server does not answer in time.
        """
        ports = [
            {
                "name": port,
                "shape": list(array.shape),
                "datatype": _TYPES[TENSORS[port].dtype.name],
                "data": array.ravel().tolist(),
            }
            for port, array in inputs.items()
        ]
        # Outputs as bytes: JSON has no infinities.
        asked = {"inputs": ports, "parameters": {"binary_data_output": True}}
        head, tail = self._send(f"/v2/models/{name}/infer", asked)
        found = json.loads(head)
        outputs, begin = {}, 0
        for port in found["outputs"]:
            dtype, end = _DTYPES[port["datatype"]], begin + port["parameters"]["binary_data_size"]
            outputs[port["name"]] = np.frombuffer(tail[begin:end], dtype).reshape(port["shape"])
            begin = end
        return outputs, int(found.get("model_version") or 0)

    def _post(self, path: str, body: Any) -> Any:
        text, _ = self._send(path, body)
        return json.loads(text) if text else {}

    def _send(self, path: str, body: Any) -> tuple[bytes, bytes]:
        """The answer's JSON, and the bytes that follow it."""
        host, _, port = self.http.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=self._timeout_s)
        try:
            connection.request("POST", path, json.dumps(body), self._headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            cause = str(error) or type(error).__name__
            raise Unavailable(
                f"Triton at {self.http}", cause, "See whether it runs and may be reached"
            ) from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise RecsysError(f"Triton at {self.http}", _reason(text, answer.status), _FIX)
        length = int(answer.headers.get("Inference-Header-Content-Length", len(text)))
        return text[:length], text[length:]


def _reason(text: bytes, status: int) -> str:
    """Triton's own words in one line, without the Python stack that may follow them."""
    try:
        message = str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        message = text.decode(errors="replace") or f"HTTP status {status}"
    return " ".join(message.partition("\n\nAt:")[0].split())[:400]
