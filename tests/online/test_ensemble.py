from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from recsys.errors import Unavailable
from recsys.online.ensemble import Ensemble, Question
from recsys.serving.breaker import Breaker


class ScriptedTriton:
    """Stands in for the gRPC client; answers after a while, or fails."""

    def __init__(self) -> None:
        self.wait_s, self.error, self.cancelled = 0.0, False, 0
        self.asked: list[dict] = []

    async def infer(self, model: str, inputs: list, **options: object) -> SimpleNamespace:
        self.asked.append({port.name(): port._get_tensor().shape for port in inputs} | options)
        try:
            await asyncio.sleep(self.wait_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise InferenceServerException("broken", status="StatusCode.INTERNAL")
        tensors = {
            "ordered_ids": np.array([[7, 5, -1]]),
            "ordered_scores": np.array([[0.9, 0.5, 0.0]]),
            "degraded": np.array([[2]]),
        }
        return SimpleNamespace(
            as_numpy=tensors.__getitem__, get_response=lambda: SimpleNamespace(model_version="3")
        )


def run(scenario, limit: int = 4, failures: int = 1000) -> ScriptedTriton:
    """Run a coroutine of (ensemble, triton) in a loop of its own."""
    triton = ScriptedTriton()

    async def go() -> None:
        ensemble = Ensemble("127.0.0.1:1", limit, Breaker(failures, cooldown_s=0.05))
        await ensemble._client.close()
        ensemble._client = triton
        await scenario(ensemble, triton)

    asyncio.run(go())
    return triton


def ask(ensemble: Ensemble, wait_s: float = 5.0):
    return ensemble.recommend(Question(42, 1, 1_754_006_400), time.monotonic() + wait_s)


def test_pads_are_cut_off_and_the_release_is_told() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        answer = await ask(ensemble)
        assert (answer.ids, answer.scores, answer.degraded, answer.release) == ([7, 5], [0.9, 0.5], 2, 3)

    (asked,) = run(scenario).asked
    assert {"user_id", "device_type", "timestamp"} < set(asked)
    assert 4e6 < asked["timeout"] <= 5e6


def test_what_is_not_known_is_not_sent() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        await ensemble.recommend(Question(-1), time.monotonic() + 5)

    (asked,) = run(scenario).asked
    assert "device_type" not in asked
    assert "timestamp" not in asked


def test_a_slow_call_is_left_to_itself_and_not_cancelled() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        triton.wait_s = 0.3
        began = time.monotonic()
        with pytest.raises(Unavailable, match="no answer in"):
            await ask(ensemble, 0.02)
        assert time.monotonic() - began < 0.25
        assert len(ensemble._under_way) == 1
        await asyncio.sleep(0.4)
        assert len(ensemble._under_way) == 0

    assert run(scenario).cancelled == 0


def test_more_than_the_limit_is_refused_at_once() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        triton.wait_s = 0.2
        answers = await asyncio.gather(*(ask(ensemble) for _ in range(10)), return_exceptions=True)
        assert sum(isinstance(answer, Unavailable) for answer in answers) == 6
        assert (await ask(ensemble)).ids == [7, 5]

    assert len(run(scenario, failures=1).asked) == 5


def test_no_time_left_is_no_call() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        with pytest.raises(Unavailable, match="no time left"):
            await ask(ensemble, -1)

    assert run(scenario).asked == []


def test_after_failures_triton_is_left_alone_and_then_tried_again() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        triton.error = True
        for _ in range(5):
            with pytest.raises(Unavailable):
                await ask(ensemble)
        assert len(triton.asked) == 2
        triton.error = False
        await asyncio.sleep(0.06)
        assert (await ask(ensemble)).ids == [7, 5]
        assert (await ask(ensemble)).ids == [7, 5]

    run(scenario, failures=2)
