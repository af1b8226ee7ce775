"""The sender over a real gRPC server of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from recsys.bench import load
from recsys.bench.cell import Cell, Outcome, Plan

Answer = Callable[[service_pb2.ModelInferRequest], Awaitable[service_pb2.ModelInferResponse]]


def response(degraded: int = 0) -> service_pb2.ModelInferResponse:
    made = service_pb2.ModelInferResponse()
    made.outputs.add(name="ordered_ids")
    made.outputs.add(name="degraded")
    made.raw_output_contents.extend([b"", np.int32(degraded).tobytes()])
    return made


def sent(plan: Plan, answer: Answer) -> Outcome:
    """What comes of a plan against a server that answers so."""

    async def run() -> Outcome:
        async def handle(request: service_pb2.ModelInferRequest, context: grpc.aio.ServicerContext) -> object:
            return await answer(request)

        method = grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=service_pb2.ModelInferRequest.FromString,
            response_serializer=service_pb2.ModelInferResponse.SerializeToString,
        )
        server = grpc.aio.server()
        service = "inference.GRPCInferenceService"
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, {"ModelInfer": method})]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            return await load.send(replace(plan, target=f"127.0.0.1:{port}"))
        finally:
            await server.stop(None)

    return asyncio.run(run())


def test_a_closed_loop_keeps_so_many_under_way(plan: Plan) -> None:
    under_way, most, asked = 0, 0, []

    async def answer(request: service_pb2.ModelInferRequest) -> service_pb2.ModelInferResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        asked.append(np.frombuffer(request.raw_input_contents[0], np.int64).tolist())
        await asyncio.sleep(0.002)
        under_way -= 1
        return response(degraded=1)

    outcome = sent(replace(plan, cell=Cell(concurrency=5, rows=2)), answer)
    assert most == 5
    assert outcome.degraded == len(outcome.latencies_ms) >= 10
    assert min(outcome.latencies_ms) >= 2
    assert all(len(users) == 2 and set(users) <= {1, 2, 3} for users in asked)


def test_the_answers_are_bounded(plan: Plan) -> None:
    async def answer(_: service_pb2.ModelInferRequest) -> service_pb2.ModelInferResponse:
        return response()

    outcome = sent(replace(plan, seconds=30, most_requests=20), answer)
    assert len(outcome.latencies_ms) == 20
    assert outcome.failed == outcome.degraded == 0


def test_failures_are_counted(plan: Plan) -> None:
    async def answer(_: service_pb2.ModelInferRequest) -> service_pb2.ModelInferResponse:
        raise RuntimeError("no")

    outcome = sent(plan, answer)
    assert outcome.latencies_ms == []
    assert outcome.failed >= 2


def test_an_open_loop_does_not_wait_for_answers(plan: Plan) -> None:
    async def answer(_: service_pb2.ModelInferRequest) -> service_pb2.ModelInferResponse:
        await asyncio.sleep(0.05)  # one caller would be answered 20 times a second
        return response()

    cell = Cell(mode="open", concurrency=0, rate=300)
    outcome = sent(replace(plan, cell=cell, seconds=0.3), answer)
    assert len(outcome.latencies_ms) > 20
    assert min(outcome.latencies_ms) >= 50


def test_requests_are_the_same_for_a_seed(plan: Plan) -> None:
    assert load.serialised(plan) == load.serialised(plan)
    many = replace(plan, users=list(range(100)))
    assert load.serialised(many) != load.serialised(replace(many, seed=1))
    assert len(set(load.serialised(many))) == 100


@pytest.mark.parametrize(("bits", "expected"), [(0, False), (4, True)])
def test_degraded_answers_are_seen(bits: int, expected: bool) -> None:
    assert load.is_degraded(response(bits)) is expected
