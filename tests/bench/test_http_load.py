"""The HTTP sender, against a small server of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from recsys.bench.cell import Cell, Outcome, Plan
from recsys.bench.http_load import send, written

Answer = Callable[[dict], tuple[int, bytes]]


def plan_of(port: int, cell: Cell, most: int = 40) -> Plan:
    return Plan(
        cell=cell,
        model="ensemble_model",
        target=f"127.0.0.1:{port}",
        users=[1, 2, 3],
        warm_up_s=0.0,
        seconds=0.2,
        most_requests=most,
        timeout_s=5.0,
        seed=0,
        token="rk_a_b",
    )


def ask(answer: Answer, cell: Cell, *, pieces: int = 1) -> tuple[Outcome, list[dict]]:
    """Serve what `answer` says to each body, cut into pieces, and send a plan to it."""
    asked: list[dict] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                asked.append(json.loads(await reader.readexactly(length)) | {"head": head})
                status, body = answer(asked[-1])
                whole = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
                for at in range(pieces):
                    writer.write(whole[_cut(whole, at, pieces)])
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def scenario() -> Outcome:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await send(plan_of(server.sockets[0].getsockname()[1], cell))

    return asyncio.run(scenario()), asked


def _cut(whole: bytes, at: int, pieces: int) -> slice:
    width = -(-len(whole) // pieces)
    return slice(at * width, (at + 1) * width)


@pytest.mark.parametrize("pieces", [1, 7])
def test_callers_ask_again_when_answered(pieces: int) -> None:
    clean = b'{"degraded":0,"items":[]}'
    outcome, asked = ask(lambda _: (200, clean), Cell(concurrency=3), pieces=pieces)
    assert len(outcome.latencies_ms) >= 6
    assert (outcome.failed, outcome.degraded) == (0, 0)
    assert {body["user_id"] for body in asked} == {1, 2, 3}
    assert all("Bearer rk_a_b" in body["head"] for body in asked)


def test_fallbacks_and_refusals_are_told_apart() -> None:
    kinds = {
        1: (200, b'{"degraded":128,"items":[]}'),
        2: (503, b"{}"),
        3: (200, b'{"degraded":0,"items":[]}'),
    }
    outcome, asked = ask(lambda body: kinds[body["user_id"]], Cell(concurrency=1))
    users = [body["user_id"] for body in asked]
    assert outcome.failed == users.count(2) > 0
    assert outcome.degraded == users.count(1) > 0
    assert len(outcome.latencies_ms) == users.count(1) + users.count(3)


def test_an_open_loop_sends_whether_or_not_it_is_answered() -> None:
    outcome, asked = ask(lambda _: (200, b'{"degraded":0,}'), Cell(mode="open", concurrency=0, rate=200.0))
    assert len(asked) >= len(outcome.latencies_ms) > 5


def test_each_user_has_a_request() -> None:
    requests = written(plan_of(80, Cell()))
    assert sorted(json.loads(request.split(b"\r\n\r\n")[1])["user_id"] for request in requests) == [1, 2, 3]
