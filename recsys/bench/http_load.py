"""Sends load to a gateway from a process of its own: plan in on stdin, outcome out on stdout, both JSON.

Like `recsys.bench.load`, and made light for the same reason: requests are written out beforehand, each caller
keeps one connection, and of an answer no more is read than where it ends and whether it is degraded.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Final

import numpy as np

from recsys.bench.cell import Outcome, Plan
from recsys.bench.window import Window

_REQUESTS: Final = 512
_MOST_OPEN: Final = 1_000
_OK: Final = b"HTTP/1.1 200"
_LENGTH: Final = b"content-length: "
_CLEAN: Final = b'"degraded":0,'


def written(plan: Plan) -> list[bytes]:
    """Requests ready to be sent, one for each of the plan's users, shuffled by its seed."""
    users = np.random.default_rng(plan.seed).permutation(np.asarray(plan.users, np.int64))
    head = (
        f"POST /v1/recommendations HTTP/1.1\r\nhost: {plan.target}\r\nauthorization: Bearer {plan.token}\r\n"
    )
    found = []
    for user in np.resize(users, min(_REQUESTS, max(1, len(users)))).tolist():
        body = json.dumps({"user_id": user, "top_k": 10})
        kind = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        found.append(f"{head}{kind}{body}".encode())
    return found


class _Connection(asyncio.Protocol):
    """One caller's connection: a request, then its answer, then the next."""

    def __init__(self) -> None:
        self._read = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP is
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Put together an answer."""
        self._read += data
        end = self._read.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self._read.find(_LENGTH, 0, end) + len(_LENGTH)
        length = int(self._read[at : self._read.index(b"\r\n", at)])
        if len(self._read) >= end + 4 + length:
            answer, self._read = self._read, b""
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits gets nothing."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    async def ask(self, request: bytes, timeout_s: float) -> bytes:
        """Send a request and wait for its answer.

        Raises:
            OSError: The connection is gone, or there was no answer in time.
        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await asyncio.wait_for(self._answer, timeout_s)


async def send(plan: Plan) -> Outcome:
    """Carry out a plan.

    Args:
        plan: What to send; `target` is the gateway.

    Returns:
        What came of it; requests that fail are counted and do not end it.
    """
    window, requests = Window(plan), cycle(written(plan))
    if plan.cell.mode == "open":
        return await _open_loop(plan, window, requests)
    connections = [await _connect(plan) for _ in range(plan.cell.concurrency)]

    async def caller(connection: _Connection) -> None:
        while not window.is_over():
            await _ask(plan, window, connection, next(requests), time.perf_counter())

    callers = [asyncio.create_task(caller(each)) for each in connections]
    await asyncio.wait(callers, return_when=asyncio.FIRST_COMPLETED)
    outcome = window.close()
    await asyncio.gather(*callers)
    return outcome


async def _open_loop(plan: Plan, window: Window, requests: Iterator[bytes]) -> Outcome:
    rng = np.random.default_rng(plan.seed)
    waiting: set[asyncio.Task[None]] = set()
    idle: list[_Connection] = []

    async def one(due: float, request: bytes) -> None:
        connection = idle.pop() if idle else await _connect(plan)
        await _ask(plan, window, connection, request, due)
        idle.append(connection)

    due = time.perf_counter()
    while not window.is_over():
        due += rng.exponential(1 / plan.cell.rate)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if len(waiting) >= _MOST_OPEN:
            window.failed()
            continue
        task = asyncio.create_task(one(due, next(requests)))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    outcome = window.close()
    await asyncio.gather(*waiting)
    return outcome


async def _connect(plan: Plan) -> _Connection:
    host, _, port = plan.target.rpartition(":")
    _, connection = await asyncio.get_running_loop().create_connection(_Connection, host, int(port))
    return connection


async def _ask(plan: Plan, window: Window, connection: _Connection, request: bytes, began: float) -> None:
    try:
        answer = await connection.ask(request, plan.timeout_s)
    except OSError:
        window.failed()
        await asyncio.sleep(0.01)  # a gateway that refuses must not be asked in a tight loop
        return
    if answer.startswith(_OK):
        window.answered(began, _CLEAN not in answer)
    else:
        window.failed()


if __name__ == "__main__":
    json.dump(asyncio.run(send(Plan.from_json(json.load(sys.stdin)))).to_json(), sys.stdout)
