from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from recsys.errors import Unavailable
from recsys.online.batching import Limits
from recsys.online.ensemble import Ensemble, Question
from recsys.serving.breaker import Breaker

DTYPES = {"INT64": np.int64, "INT32": np.int32}
ALONE = Limits(size=1, lanes=100)
NAMES = ("ordered_ids", "ordered_scores", "ordered_sources", "degraded")
ANSWERS = (
    ([7, 5, -1], [0.9, 0.5, 0.0], [1, 3, 0], [2]),
    ([8, -1, -1], [0.8, 0.0, 0.0], [1, 0, 0], [0]),
    ([-1] * 3, [0.0] * 3, [0] * 3, [1]),
)


class ScriptedTriton:
    """Stands in for the gRPC client; answers after a while, or fails."""

    def __init__(self) -> None:
        self.wait_s, self.error, self.poison, self.cancelled = 0.0, "", None, 0
        self.asked: list[dict] = []

    async def infer(self, model: str, inputs: list, **options: object) -> SimpleNamespace:
        sent = {port.name(): port._get_tensor() for port in inputs}
        columns = {
            port.name(): np.frombuffer(port._get_content(), DTYPES[port.datatype()]).tolist()
            for port in inputs
        }
        shapes = {name: tuple(tensor.shape) for name, tensor in sent.items()}
        self.asked.append(shapes | options | {"columns": columns})
        try:
            await asyncio.sleep(self.wait_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error or self.poison in columns["user_id"]:
            raise InferenceServerException("broken", status=self.error or "StatusCode.INTERNAL")
        rows = np.arange(len(columns["user_id"])) % len(ANSWERS)
        tensors = {name: np.array([ANSWERS[row][at] for row in rows]) for at, name in enumerate(NAMES)}
        return SimpleNamespace(
            as_numpy=tensors.__getitem__, get_response=lambda: SimpleNamespace(model_version="3")
        )


def run(scenario, limit: int = 4, failures: int = 1000, limits: Limits = ALONE) -> ScriptedTriton:
    """Run a coroutine of (ensemble, triton) in a loop of its own."""
    triton = ScriptedTriton()

    async def go() -> None:
        breaker = Breaker(failures, cooldown_s=0.05)
        ensemble = Ensemble("127.0.0.1:1", limit, breaker, limits)
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
        triton.wait_s = 2.0
        with pytest.raises(Unavailable, match="no answer in"):
            await ask(ensemble, 0.2)
        assert ensemble._under_way == 1
        deadline = time.monotonic() + 60
        while ensemble._under_way:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    assert run(scenario).cancelled == 0


def test_too_many_abandoned_calls_and_nobody_is_asked() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        triton.wait_s = 3.0
        for _ in range(4):
            with pytest.raises(Unavailable, match="no answer in"):
                await ask(ensemble, 0.1)
        with pytest.raises(Unavailable, match="too many wait"):
            await ask(ensemble)
        await asyncio.sleep(3.1)
        triton.wait_s = 0.0
        assert (await ask(ensemble)).ids == [7, 5]

    assert len(run(scenario, limit=4).asked) == 5


def test_whoever_would_be_too_late_is_refused_at_once_and_triton_is_not_blamed() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        ensemble._batcher.call_s = 10.0  # as if learned
        triton.wait_s = 0.05
        answers = await asyncio.gather(*(ask(ensemble) for _ in range(10)), return_exceptions=True)
        assert sum(isinstance(answer, Unavailable) for answer in answers) == 8
        assert (await ask(ensemble)).ids == [7, 5]

    asked = run(scenario, failures=1, limits=Limits(size=2, lanes=1)).asked
    assert [call["user_id"] for call in asked] == [(2, 1), (1, 1)]


def test_an_answer_that_is_late_while_others_get_theirs_does_not_open_the_breaker() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        triton.wait_s = 5.0
        slow = asyncio.create_task(ask(ensemble, 0.2))
        while not triton.asked:
            await asyncio.sleep(0)
        triton.wait_s = 0.0
        assert (await ask(ensemble)).ids == [7, 5]
        with pytest.raises(Unavailable, match="no answer in"):
            await slow
        assert (await ask(ensemble)).ids == [7, 5]

    run(scenario, failures=1)


def test_users_of_one_call_get_their_own_part_of_the_answer() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        deadline = time.monotonic() + 5
        some = [Question(3), Question(-1, 2), Question(5, None, 1_754_006_400)]
        answers = await asyncio.gather(*(ensemble.recommend(each, deadline) for each in some))
        assert [answer.ids for answer in answers] == [[7, 5], [8], []]
        assert [answer.degraded for answer in answers] == [2, 0, 1]

    (asked,) = run(scenario, limits=Limits()).asked
    assert asked["columns"] == {
        "user_id": [3, -1, 5],
        "device_type": [-1, 2, -1],
        "timestamp": [0, 0, 1_754_006_400],
    }


def test_one_users_error_is_no_other_users() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        triton.poison = 13
        deadline = time.monotonic() + 5
        asked = (ensemble.recommend(Question(user), deadline) for user in (11, 12, 13, 14))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(answer, Unavailable) for answer in answers] == [False, False, True, False]

    assert len(run(scenario, limits=Limits()).asked) == 5


def test_a_triton_that_is_away_is_not_asked_again_for_each() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        triton.error = "StatusCode.UNAVAILABLE"
        answers = await asyncio.gather(*(ask(ensemble) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(answer, Unavailable) for answer in answers)

    assert len(run(scenario, limits=Limits()).asked) == 1


def test_no_time_left_is_no_call() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        with pytest.raises(Unavailable, match="no time left"):
            await ask(ensemble, -1)

    assert run(scenario).asked == []


def test_after_failures_triton_is_left_alone_and_then_tried_again() -> None:
    async def scenario(ensemble: Ensemble, triton: ScriptedTriton) -> None:
        triton.error = "StatusCode.INTERNAL"
        for _ in range(5):
            with pytest.raises(Unavailable):
                await ask(ensemble)
        assert len(triton.asked) == 2
        triton.error = ""
        await asyncio.sleep(0.06)
        assert (await ask(ensemble)).ids == [7, 5]
        assert (await ask(ensemble)).ids == [7, 5]

    run(scenario, failures=2)
