"""The breaker opens after failures, refuses at once, and closes again by itself."""

from __future__ import annotations

import asyncio
import queue
import threading
import time

import pytest
from factories.clock import Clock

from recsys.errors import Unavailable
from recsys.serving.breaker import Breaker


class Service:
    def __init__(self) -> None:
        self.calls = 0
        self.down = False

    def ask(self, value: int) -> int:
        self.calls += 1
        if self.down:
            raise Unavailable("service", "down", "wait")
        return value + 1


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=2, cooldown_s=1.0, clock=clock, longest_s=1.0)


def fail(breaker: Breaker, service: Service, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Unavailable):
            breaker.call(service.ask, 1)


def test_one_error_does_not_disable_the_service(breaker: Breaker, service: Service) -> None:
    service.down = True
    fail(breaker, service)
    service.down = False
    assert breaker.call(service.ask, 1) == 2
    assert not breaker.is_open


def test_open_it_asks_nobody(breaker: Breaker, service: Service) -> None:
    service.down = True
    fail(breaker, service, 5)
    assert service.calls == 2
    assert breaker.is_open


def test_a_probe_after_the_cooldown_closes_it(breaker: Breaker, service: Service, clock: Clock) -> None:
    service.down = True
    fail(breaker, service, 3)
    service.down = False
    clock.now = 0.9
    fail(breaker, service)
    clock.now = 1.0
    assert breaker.call(service.ask, 4) == 5
    assert not breaker.is_open
    assert breaker.call(service.ask, 4) == 5


def test_a_failed_probe_keeps_it_open_for_another_cooldown(
    breaker: Breaker, service: Service, clock: Clock
) -> None:
    service.down = True
    fail(breaker, service, 2)
    clock.now = 1.0
    fail(breaker, service, 3)
    assert service.calls == 3
    clock.now = 2.0
    fail(breaker, service, 3)
    assert service.calls == 4


def test_only_one_probe_at_a_time(breaker: Breaker, service: Service, clock: Clock) -> None:
    service.down = True
    fail(breaker, service, 2)
    clock.now = 1.0

    def probe() -> int:
        fail(breaker, service)  # another caller, while the probe is under way
        return 1

    assert breaker.call(probe) == 1
    assert service.calls == 2


def test_other_errors_pass_and_do_not_count(breaker: Breaker) -> None:
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            breaker.call(lambda: 1 // 0)
    assert not breaker.is_open


def test_each_failed_probe_doubles_the_wait_up_to_a_limit(service: Service, clock: Clock) -> None:
    breaker = Breaker(failures=1, cooldown_s=1.0, clock=clock, longest_s=4.0)
    service.down = True
    waits, asked_at = [], 0.0
    fail(breaker, service)
    while len(waits) < 4:
        clock.now += 0.5
        before = service.calls
        fail(breaker, service)
        if service.calls > before:
            waits.append(clock.now - asked_at)
            asked_at = clock.now
    assert waits == [1.0, 2.0, 4.0, 4.0]
    service.down = False
    clock.now += 4.0
    assert breaker.call(service.ask, 1) == 2
    service.down = True
    fail(breaker, service)
    clock.now += 1.0
    before = service.calls
    fail(breaker, service)
    assert service.calls == before + 1


def test_calls_of_asyncio_are_guarded_too(service: Service, clock: Clock) -> None:
    breaker = Breaker(failures=2, cooldown_s=1.0, clock=clock)

    async def ask(value: int) -> int:
        return service.ask(value)

    service.down = True
    for _ in range(5):
        with pytest.raises(Unavailable):
            asyncio.run(breaker.call_async(ask, 1))
    assert service.calls == 2
    service.down = False
    clock.now = 1.0
    assert asyncio.run(breaker.call_async(ask, 1)) == 2
    assert not breaker.is_open


def test_with_a_probe_of_its_own_no_call_waits_for_the_service(service: Service) -> None:
    probed = threading.Event()
    tried: list[int] = []

    def probe() -> None:
        tried.append(service.calls)
        if len(tried) < 3:
            raise ConnectionError("still away")
        probed.wait(10)

    breaker = Breaker(failures=1, cooldown_s=0.01, probe=probe)
    service.down = True
    fail(breaker, service)
    service.down = False
    deadline = time.monotonic() + 10
    while len(tried) < 3 and time.monotonic() < deadline:
        fail(breaker, service)
    assert service.calls == 1
    probed.set()
    while breaker.is_open and time.monotonic() < deadline:
        time.sleep(0.01)
    assert breaker.call(service.ask, 1) == 2
    assert tried == [1, 1, 1]


def test_closed_it_tries_no_more(service: Service) -> None:
    trying: queue.Queue[threading.Thread] = queue.Queue()

    def probe() -> None:
        trying.put(threading.current_thread())
        raise ConnectionError("still away")

    breaker = Breaker(failures=1, cooldown_s=0.01, probe=probe)
    service.down = True
    fail(breaker, service)
    thread = trying.get(timeout=10)
    breaker.close()
    thread.join(10)
    assert not thread.is_alive()
    assert breaker.is_open


def test_it_is_probed_again_after_the_next_failure(service: Service) -> None:
    times = threading.Semaphore(0)
    breaker = Breaker(failures=1, cooldown_s=0.01, probe=times.release)
    for _ in range(2):
        service.down = True
        fail(breaker, service)
        assert times.acquire(timeout=10)
        deadline = time.monotonic() + 10
        while breaker.is_open and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not breaker.is_open
