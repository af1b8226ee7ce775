"""The door that gathers callers, with a scripted service behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import RecsysError, Unavailable
from recsys.online.batching import Batcher, Crowded, Limits


class Service:
    """Doubles numbers; odd ones below zero fail the call they are in."""

    def __init__(self, gate: bool = False) -> None:
        self.calls: list[list[int]] = []
        self.under_way = self.most_under_way = 0
        self.open = asyncio.Event()
        if not gate:
            self.open.set()

    async def send(self, numbers: Sequence[int], deadline: float) -> list[int]:
        self.calls.append(list(numbers))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.open.wait()
            await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        if any(number < 0 for number in numbers):
            raise RecsysError("service", "cannot double that", "Ask for something else")
        return [2 * number for number in numbers]


def soon(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


def door(service: Service, **chosen: float) -> Batcher[int, int]:
    return Batcher(service.send, "service", Limits(**{"slow_s": 60.0, **chosen}))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.integers(-5, 50), min_size=1, max_size=40),
    size=st.integers(1, 8),
    lanes=st.integers(1, 3),
    pauses=st.integers(0, 4),
)
def test_everyone_gets_their_own_answer_or_their_own_error(
    numbers: list[int], size: int, lanes: int, pauses: int
) -> None:
    async def scenario() -> None:
        service = Service()
        batcher = door(service, size=size, lanes=lanes, wait_s=0.0005)
        tasks = []
        for at, number in enumerate(numbers):
            tasks.append(asyncio.create_task(batcher.ask(number, soon())))
            if pauses and at % pauses == 0:
                await asyncio.sleep(0)
            else:
                await settle()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for number, answer in zip(numbers, answers, strict=True):
            assert isinstance(answer, RecsysError) if number < 0 else answer == 2 * number
        assert max(map(len, service.calls)) <= size
        assert batcher._present == len(batcher._taken) == 0

    asyncio.run(scenario())


def test_whoever_comes_alone_does_not_wait() -> None:
    async def scenario() -> None:
        service = Service()
        batcher = door(service, wait_s=60.0)
        assert [await batcher.ask(number, soon()) for number in (1, 2)] == [2, 4]
        assert service.calls == [[1], [2]]

    asyncio.run(scenario())


def test_those_who_come_together_go_together() -> None:
    async def scenario() -> None:
        service = Service()
        batcher = door(service, wait_s=60.0)
        assert await asyncio.gather(*(batcher.ask(number, soon()) for number in range(5))) == [0, 2, 4, 6, 8]
        assert service.calls == [[0, 1, 2, 3, 4]]

    asyncio.run(scenario())


def test_while_a_call_is_under_way_others_wait_for_company_but_not_for_long() -> None:
    async def scenario() -> None:
        service = Service(gate=True)
        batcher = door(service, wait_s=0.01)
        first = asyncio.create_task(batcher.ask(1, soon()))
        await settle()
        others = [asyncio.create_task(batcher.ask(number, soon())) for number in (2, 3)]
        await settle()
        assert service.calls == [[1]]
        while len(service.calls) < 2:  # the wait ends of itself: nobody else comes, nothing is answered
            await asyncio.sleep(0.002)
        assert service.calls == [[1], [2, 3]]
        service.open.set()
        assert await asyncio.gather(first, *others) == [2, 4, 6]

    asyncio.run(scenario())


def test_enough_of_them_do_not_wait() -> None:
    async def scenario() -> None:
        service = Service(gate=True)
        batcher = door(service, wait_s=60.0, size=3)
        tasks = [asyncio.create_task(batcher.ask(1, soon()))]
        await settle()
        tasks += [asyncio.create_task(batcher.ask(number, soon())) for number in (2, 3, 4)]
        await settle()
        assert service.calls == [[1], [2, 3, 4]]
        service.open.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


def test_beyond_the_lanes_they_gather() -> None:
    async def scenario() -> None:
        service = Service(gate=True)
        batcher = door(service, wait_s=0.0, size=2, lanes=1)
        tasks = [asyncio.create_task(batcher.ask(number, soon())) for number in range(6)]
        await settle()
        assert service.calls == [[0, 1]]
        service.open.set()
        assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8, 10]
        assert service.calls == [[0, 1], [2, 3], [4, 5]]
        assert service.most_under_way == 1

    asyncio.run(scenario())


def test_whoever_would_be_answered_too_late_is_refused_at_once() -> None:
    async def scenario() -> None:
        service = Service(gate=True)
        batcher = door(service, wait_s=0.0, size=2, lanes=1)
        batcher.call_s = 10.0  # as if learned
        tasks = [asyncio.create_task(batcher.ask(number, soon())) for number in range(4)]
        await settle()
        # 10 s for the call under way, 10 for the pair that waits, 10 for the caller's own.
        assert 21 < batcher.expected_s() <= 30
        with pytest.raises(Crowded, match="4 callers wait"):
            await batcher.ask(9, soon(20.0))
        patient = asyncio.create_task(batcher.ask(4, soon(60.0)))
        await settle()
        service.open.set()
        assert await asyncio.gather(*tasks, patient) == [0, 2, 4, 6, 8]

    asyncio.run(scenario())


def test_a_service_that_was_slow_is_asked_again_when_nobody_is_under_way() -> None:
    async def scenario() -> None:
        batcher = door(Service())
        batcher.call_s = 1_000.0
        assert await batcher.ask(1, soon(1.0)) == 2
        assert batcher.call_s < 1_000.0

    asyncio.run(scenario())


def test_there_is_a_bound_before_anything_is_learned() -> None:
    async def scenario() -> None:
        service = Service(gate=True)
        batcher = door(service, size=2, lanes=1)
        tasks = [asyncio.create_task(batcher.ask(number, soon())) for number in range(20)]
        await settle()
        service.open.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(answer, Crowded) for answer in answers] == [False] * 16 + [True] * 4

    asyncio.run(scenario())


def test_while_many_are_under_way_as_many_are_waited_for() -> None:
    async def scenario() -> None:
        service = Service(gate=True)
        batcher = door(service, wait_s=60.0, size=32)
        tasks = [asyncio.create_task(batcher.ask(number, soon())) for number in range(10)]
        await settle()
        tasks += [asyncio.create_task(batcher.ask(number, soon())) for number in range(10, 19)]
        await settle()
        assert len(service.calls) == 1
        tasks.append(asyncio.create_task(batcher.ask(19, soon())))
        await settle()
        assert [len(call) for call in service.calls] == [10, 10]
        service.open.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


def test_each_keeps_their_own_deadline() -> None:
    async def scenario() -> None:
        service = Service(gate=True)
        batcher = door(service)
        patient = asyncio.create_task(batcher.ask(1, soon()))
        with pytest.raises(Unavailable, match="no answer in"):
            await batcher.ask(2, soon(0.2))
        assert [sorted(call) for call in service.calls] == [[1, 2]]
        service.open.set()
        assert await patient == 2

    asyncio.run(scenario())


def test_a_call_that_nobody_waits_for_holds_no_lane_and_is_not_cancelled() -> None:
    async def scenario() -> None:
        service = Service(gate=True)
        batcher = door(service, lanes=1)
        with pytest.raises(Unavailable):
            await batcher.ask(1, soon(0.2))
        await asyncio.sleep(0.02)
        second = asyncio.create_task(batcher.ask(2, soon()))
        await settle()
        assert service.calls == [[1], [2]]
        assert service.under_way == 2
        service.open.set()
        assert await second == 4
        await settle()
        assert service.under_way == 0

    asyncio.run(scenario())


def test_a_caller_who_leaves_takes_nobody_along() -> None:
    async def scenario() -> None:
        service = Service(gate=True)
        batcher = door(service)
        leaver, stayer = (asyncio.create_task(batcher.ask(number, soon())) for number in (1, 2))
        await settle()
        leaver.cancel()
        await settle()
        service.open.set()
        assert await stayer == 4
        assert leaver.cancelled()

    asyncio.run(scenario())


def test_slow_calls_become_smaller_and_full_fast_ones_grow_again() -> None:
    async def scenario() -> None:
        service = Service()
        batcher = door(service, size=10, slow_s=0.0)
        for _ in range(10):
            await batcher.ask(1, soon())
        assert batcher.size == 4
        batcher._limits = Limits(size=10, slow_s=60.0)
        for _ in range(8):
            await asyncio.gather(*(batcher.ask(1, soon()) for _ in range(int(batcher.size))))
        assert batcher.size == 10

    asyncio.run(scenario())
