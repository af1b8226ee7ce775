"""Sends load to Triton from a process of its own: plan in on stdin, outcome out on stdout, both JSON.

The sender shares the machine with what it measures, so it is made light: requests are serialised
beforehand, and go over one HTTP/2 connection from one event loop.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any, Final

import grpc
import numpy as np
from tritonclient.grpc import service_pb2

from recsys.bench.cell import Outcome, Plan
from recsys.bench.window import Window
from recsys.serving.graph import ENSEMBLE_OUTPUTS

_METHOD: Final = "/inference.GRPCInferenceService/ModelInfer"
_REQUESTS: Final = 512
"""Different requests that are sent in turn."""
_MOST_OPEN: Final = 1_000
"""Requests of an open loop that may wait at once; one more fails, as at any real door."""


def serialised(plan: Plan) -> list[bytes]:
    """Requests ready to be sent, each for `rows` of the plan's users, shuffled by its seed."""
    users = np.random.default_rng(plan.seed).permutation(np.asarray(plan.users, np.int64))
    columns = np.resize(users, (min(_REQUESTS, max(1, len(users))), plan.cell.rows, 1))
    return [_request(plan.model, column).SerializeToString() for column in columns]


def is_degraded(response: Any) -> bool:
    """Whether a part of any user's answer came from a fallback."""
    place = [output.name for output in response.outputs].index("degraded")
    return bool(np.frombuffer(response.raw_output_contents[place], np.int32).any())


async def send(plan: Plan) -> Outcome:
    """Carry out a plan.

    Args:
        plan: What to send.

    Returns:
        What came of it; requests that fail are counted and do not end it.
    """
    async with grpc.aio.insecure_channel(
        plan.target, options=[("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        call = channel.unary_unary(_METHOD, response_deserializer=service_pb2.ModelInferResponse.FromString)
        window = Window(plan)
        requests = cycle(serialised(plan))
        loop = _closed_loop if plan.cell.mode == "closed" else _open_loop
        return await loop(plan, window, call, requests)


async def _closed_loop(plan: Plan, window: Window, call: Any, requests: Iterator[bytes]) -> Outcome:
    async def caller() -> None:
        while not window.is_over():
            await _ask(plan, window, call, next(requests), time.perf_counter())

    callers = [asyncio.create_task(caller()) for _ in range(plan.cell.concurrency)]
    await asyncio.wait(callers, return_when=asyncio.FIRST_COMPLETED)
    return await _closed(window, callers)


async def _open_loop(plan: Plan, window: Window, call: Any, requests: Iterator[bytes]) -> Outcome:
    rng = np.random.default_rng(plan.seed)
    waiting: set[asyncio.Task[None]] = set()
    due = time.perf_counter()
    while not window.is_over():
        due += rng.exponential(1 / plan.cell.rate)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if len(waiting) >= _MOST_OPEN:
            window.failed()
            continue
        task = asyncio.create_task(_ask(plan, window, call, next(requests), due))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    return await _closed(window, list(waiting))


async def _closed(window: Window, under_way: list[asyncio.Task[None]]) -> Outcome:
    """The outcome as of now; what is under way still gets its answer, which no longer counts.

    It is not cancelled: Triton 2.51 can crash when an answer meets a call that its client has given up.
    """
    outcome = window.close()
    await asyncio.gather(*under_way)
    return outcome


async def _ask(plan: Plan, window: Window, call: Any, request: bytes, began: float) -> None:
    try:
        response = await call(request, timeout=plan.timeout_s)
    except grpc.aio.AioRpcError:
        window.failed()
    else:
        window.answered(began, is_degraded(response))


def _request(model: str, users: np.ndarray) -> Any:
    request = service_pb2.ModelInferRequest(model_name=model)
    request.inputs.add(name="user_id", datatype="INT64", shape=list(users.shape))
    request.raw_input_contents.append(np.ascontiguousarray(users).tobytes())
    for name in ENSEMBLE_OUTPUTS:
        request.outputs.add(name=name)
    return request


if __name__ == "__main__":
    outcome = asyncio.run(send(Plan.from_json(json.load(sys.stdin))))
    json.dump(outcome.to_json(), sys.stdout)
