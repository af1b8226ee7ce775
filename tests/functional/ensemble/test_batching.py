"""Users who share a call to a real Triton get the answers that each would get alone."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from factories.release import KNOWN_USERS
from factories.shop_server import Shop

from recsys.online.batching import Limits
from recsys.online.ensemble import Ensemble, Question
from recsys.serving.client import Recommendation

NOON = 1_754_049_600

pytestmark = pytest.mark.functional


def questions() -> list[Question]:
    """Known users, strangers and anonymous visitors; some give a device, some a moment."""
    users = [*KNOWN_USERS.tolist(), -1, 10**12, *range(5_000, 5_030)]
    return [Question(user, None if at % 3 else at % 2, NOON + 60 * at) for at, user in enumerate(users)]


async def ask_all(ensemble: Ensemble, asked: list[Question]) -> list[Recommendation]:
    deadline = time.monotonic() + 30
    return list(await asyncio.gather(*(ensemble.recommend(each, deadline) for each in asked)))


def test_a_shared_call_answers_like_one_of_ones_own(shop: Shop) -> None:
    async def scenario() -> tuple[list[Recommendation], list[Recommendation], int]:
        ensemble = Ensemble(shop.triton.endpoints["grpc"], batching=Limits(size=64, slow_s=60.0))
        calls = 0
        ask = ensemble._batcher._send

        async def counted(*given: object) -> object:
            nonlocal calls
            calls += 1
            return await ask(*given)

        ensemble._batcher._send = counted
        try:
            together = await ask_all(ensemble, questions())
            shared = calls
            alone = [(await ask_all(ensemble, [each]))[0] for each in questions()]
        finally:
            await ensemble.close()
        return together, alone, shared

    together, alone, shared = asyncio.run(scenario())
    assert shared == 1
    for one, other in zip(together, alone, strict=True):
        assert one.ids == other.ids
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        assert (one.degraded, one.release, one.sources) == (other.degraded, other.release, other.sources)


def test_a_user_who_cannot_be_asked_for_spoils_nobody_elses_answer(shop: Shop) -> None:
    async def scenario() -> list[Recommendation | BaseException]:
        ensemble = Ensemble(shop.triton.endpoints["grpc"], batching=Limits(slow_s=60.0))
        ask = ensemble._client.infer

        async def refusing(model: str, inputs: list, **options: object) -> object:
            # One shape too many: Triton refuses the whole call, as it would for a request that is malformed.
            if 13 in np.frombuffer(inputs[0]._get_content(), np.int64):
                inputs[0].set_shape([*inputs[0].shape(), 1])
            return await ask(model, inputs, **options)

        ensemble._client.infer = refusing
        deadline = time.monotonic() + 30
        try:
            asked = (ensemble.recommend(Question(user, None, NOON), deadline) for user in (11, 12, 13, 14))
            return list(await asyncio.gather(*asked, return_exceptions=True))
        finally:
            await ensemble.close()

    answers = asyncio.run(scenario())
    assert [isinstance(answer, Recommendation) for answer in answers] == [True, True, False, True]
