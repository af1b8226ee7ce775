"""Clients of a gateway who ask the same few questions over and over and keep every answer, for a drill."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from recsys.online.requests import Request
from recsys.schema import DEVICES, UNKNOWN

_TIMEOUT_S: Final = 10.0
_DEVICES: Final = {number: name for name, number in DEVICES.items()}

Items = tuple[tuple[int, ...], tuple[float, ...]]
"""Ids and scores of an answer, best first."""


@dataclass(frozen=True)
class Told:
    """One answer.

    Attributes:
        question: Index of the question.
        began: When it was asked, monotonic seconds.
        seconds: Until the answer was read.
        status: HTTP status; 0 when none came.
        release: The release that the answer names; 0 where it names none.
        degraded: Its bits.
        items: What it holds.
    """

    question: int
    began: float
    seconds: float
    status: int
    release: int = 0
    degraded: int = 0
    items: Items = ((), ())


@dataclass
class Clients:
    """A closed loop: each client asks, waits for the answer and asks again.

    Args:
        address: `host:port` of the gateway.
        token: API key.
        questions: What is asked, by all clients in turn from different places.
        count: How many clients.
        top_k: Items wanted.
    """

    address: str
    token: str
    questions: Sequence[Request]
    count: int = 8
    top_k: int = 10
    told: list[Told] = field(default_factory=list)

    def __enter__(self) -> Clients:
        self._stop = threading.Event()
        self._bodies = [json.dumps(self._body(each)).encode() for each in self.questions]
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(self.count)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _body(self, request: Request) -> dict[str, object]:
        body: dict[str, object] = {"timestamp": request.timestamp, "top_k": self.top_k}
        body |= {"anonymous": True} if request.user_id == UNKNOWN else {"user_id": request.user_id}
        if request.device_type in _DEVICES:
            body["device_type"] = _DEVICES[request.device_type]
        return body

    def _ask(self, client: int) -> None:
        host, _, port = self.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=_TIMEOUT_S)
        place = client * len(self.questions) // self.count
        while not self._stop.is_set():
            self.told.append(self._once(connection, place))
            place = (place + 1) % len(self.questions)
        connection.close()

    def _once(self, connection: http.client.HTTPConnection, place: int) -> Told:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        began = time.monotonic()
        try:
            connection.request("POST", "/v1/recommendations", self._bodies[place], headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return Told(place, began, time.monotonic() - began, 0)
        seconds = time.monotonic() - began
        if answer.status != http.client.OK:
            return Told(place, began, seconds, answer.status)
        body = json.loads(text)
        items = body["items"]
        held = (tuple(item["item_id"] for item in items), tuple(item["score"] for item in items))
        return Told(place, began, seconds, answer.status, body["release"] or 0, body["degraded"], held)
