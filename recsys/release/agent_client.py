"""The way to the agent of another pod."""

from __future__ import annotations

import http.client
import json
from typing import Any, Final

from recsys.errors import RecsysError, Unavailable
from recsys.serving.layout import Layout

_FETCH_S: Final = 300.0
"""Longest that a call may take which may have to bring a release from afar."""

_ANSWER_S: Final = 10.0
"""Longest that any other call may take: an agent that hangs is found out before a release is loaded."""


class AgentFiles:
    """The model repository beside a remote Triton; see `recsys.release.replica.Files`.

    Args:
        address: `host:port` of the agent.
        key: What it asks for.
        fetch_s: Time limit of a call that may bring a release, in seconds.
        answer_s: Of any other call.
    """

    def __init__(
        self, address: str, key: str, fetch_s: float = _FETCH_S, answer_s: float = _ANSWER_S
    ) -> None:
        self._address = address
        self._key = key
        self._fetch_s, self._answer_s = fetch_s, answer_s

    def read(self) -> Layout:
        """See `Files.read`."""
        return Layout.from_json(self._call("GET", "/layout", self._answer_s))

    def write(self, layout: Layout) -> None:
        """See `Files.write`."""
        self._call("PUT", "/layout", self._fetch_s, layout.to_json())

    def clear(self) -> None:
        """See `Files.clear`."""
        self._call("POST", "/clear", self._answer_s)

    def bring(self, number: int) -> None:
        """Have a release there, whole.

        Raises:
            RecsysError: The agent refused.
            Unavailable: It did not answer in time.
        """
        self._call("POST", "/fetch", self._fetch_s, {"release": number})

    def _call(self, method: str, path: str, timeout_s: float, body: Any = None) -> Any:
        host, _, port = self._address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
        headers = {"authorization": f"Bearer {self._key}"}
        thing = f"release agent at {self._address}"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            found = json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unavailable(thing, str(error) or type(error).__name__, "See the pod's log") from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            if "thing" in found:
                raise RecsysError(f"{thing}: {found['thing']}", found["cause"], found["fix"])
            raise RecsysError(thing, str(found.get("error", answer.status)), "Check key and address")
        return found
