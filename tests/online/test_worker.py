from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import redis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from recsys.errors import Unavailable
from recsys.features.behavior import top_category
from recsys.online import keys
from recsys.online.events import FORGET, Event
from recsys.online.forget import Forgetter
from recsys.online.popularity import Popularity
from recsys.online.recents import Recents
from recsys.online.seen import SeenFilter
from recsys.online.stream_log import GROUP, StreamLog
from recsys.online.worker import BehaviorWorker
from recsys.settings import EventSettings, Settings, WorkerSettings

from .conftest import Clock, RecordingStore, write_items

DAY = 24 * 3600
ITEMS = {item: (item // 10, 100 + item // 5) for item in range(40)}


class Setup:
    """A log, a worker that reads it, and what one may look at afterwards."""

    def __init__(self, client: redis.Redis, clock: Clock, store: RecordingStore, home: Path) -> None:
        self.client, self.clock, self.store = client, clock, store
        self.settings = Settings(
            home=home,
            events=EventSettings(max_attempts=3),
            worker=WorkerSettings(wait_s=0.001, claim_after_s=60, offline_s=1000),
        )
        self.monotonic = 0.0
        self.log = self.new_log()
        self.worker = self.new_worker()
        write_items(client, ITEMS)

    def new_log(self, name: str = "a") -> StreamLog:
        return StreamLog(self.client, self.settings.events, name, 60, clock=lambda: self.monotonic)

    def new_worker(self, name: str = "a") -> BehaviorWorker:
        return BehaviorWorker(
            self.client,
            self.new_log(name),
            self.store,
            self.settings,
            now_ms=self.clock,
            clock=lambda: self.monotonic,
        )

    def click(self, user: int, *items: int, name: str | None = None) -> None:
        self.log.append(
            [
                Event(name or f"{user}-{item}-{self.clock()}-{number}", user, item, self.clock())
                for number, item in enumerate(items)
            ]
        )

    def drain(self) -> None:
        while self.worker.step() or self.client.xpending(keys.EVENTS, GROUP)["pending"]:
            pass

    def popular(self) -> dict[int, float]:
        top = Popularity(self.client, self.settings.popularity, self.clock).top()
        return dict(zip(top.ids.tolist(), np.round(top.counts, 6).tolist(), strict=True))


@pytest.fixture
def setup(valkey: redis.Redis, clock: Clock, store: RecordingStore, tmp_path: Path) -> Setup:
    made = Setup(valkey, clock, store, tmp_path)
    made.worker.step()  # makes the group
    return made


def test_clicks_have_all_their_effects(setup: Setup) -> None:
    setup.click(1, 12, 13, 5)
    setup.drain()
    seen = SeenFilter(setup.client, setup.settings.seen, setup.clock)
    assert seen.contains([1], [[12, 13, 5, 14]]).tolist() == [[True, True, True, False]]
    assert set(Recents(setup.client, setup.clock).of(1).tolist()) == {12, 13, 5}
    assert setup.popular() == {12: 1.0, 13: 1.0, 5: 1.0}
    assert setup.store.served() == {1: 1}
    assert setup.worker.counts.applied == 3


def test_offline_gets_what_online_got(setup: Setup) -> None:
    setup.click(1, 12)
    setup.drain()
    assert setup.store.offline == []
    assert setup.worker.flush() == 1
    assert setup.worker.flush() == 0
    assert setup.store.offline == setup.store.online


def test_offline_rows_wait_while_the_store_is_broken(setup: Setup) -> None:
    setup.click(1, 12)
    setup.drain()
    setup.store.broken = True
    with pytest.raises(Unavailable):
        setup.worker.flush()
    setup.store.broken = False
    assert setup.new_worker("heir").flush() == 1


def test_events_wait_while_the_online_store_is_broken(setup: Setup) -> None:
    setup.store.broken = True
    setup.click(1, 12)
    for _ in range(5):
        with pytest.raises(Unavailable):
            setup.worker.step()
    setup.store.broken = False
    setup.drain()
    assert setup.store.served() == {1: 1}
    assert setup.popular() == {12: 1.0}


def test_a_client_that_repeats_itself_counts_once(setup: Setup) -> None:
    for _ in range(3):
        setup.click(1, 12, name="same")
    setup.drain()
    assert setup.popular() == {12: 1.0}


@pytest.mark.parametrize("step", ["_effects.apply", "_seen.add_events", "_top_categories.schedule"])
def test_a_worker_that_dies_anywhere_leaves_exactly_one_effect(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    part, name = step.split(".")
    target = getattr(setup.worker, part)
    original = getattr(target, name)

    def dies(*arguments: object) -> None:
        original(*arguments)
        raise Killed

    monkeypatch.setattr(target, name, dies)
    setup.click(1, 12, 12, 25)
    with pytest.raises(Killed):
        setup.worker.step()
    setup.worker = setup.new_worker()
    setup.drain()
    assert setup.popular() == {12: 2.0, 25: 1.0}
    assert setup.store.served() == {1: 1}
    assert setup.client.xpending(keys.EVENTS, GROUP)["pending"] == 0


def test_an_event_that_cannot_be_read_is_set_aside_with_the_reason(setup: Setup) -> None:
    setup.client.xadd(keys.EVENTS, {"user_id": "me"})
    setup.click(1, 12)
    setup.drain()
    ((_, fields),) = setup.client.xrange(keys.DEAD_EVENTS)
    assert b"timestamp" in fields[b"reason"]
    assert fields[b"user_id"] == b"me"
    assert setup.popular() == {12: 1.0}


def test_an_unknown_item_gets_some_tries_and_does_not_hold_up_the_others(setup: Setup) -> None:
    setup.click(1, 999, 12)
    setup.worker.step()
    assert setup.popular() == {12: 1.0}
    for attempt in range(2):
        setup.worker._log.retry_unsettled()
        setup.worker.step()
        assert setup.client.xlen(keys.DEAD_EVENTS) == attempt
    ((_, fields),) = setup.client.xrange(keys.DEAD_EVENTS)
    assert fields[b"reason"] == b"item 999 is not in the feature store"


def test_an_item_that_appears_in_time_counts(setup: Setup) -> None:
    setup.click(1, 999)
    setup.worker.step()
    write_items(setup.client, {999: (3, 103)})
    setup.worker._log.retry_unsettled()
    setup.drain()
    assert setup.store.served() == {1: 3}


def test_an_event_that_breaks_the_code_is_set_aside_alone(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = setup.worker._effects.apply

    def breaks(clicks: list) -> object:
        if any(click.event.item_id == 13 for click in clicks):
            raise ZeroDivisionError("thirteen")
        return original(clicks)

    monkeypatch.setattr(setup.worker._effects, "apply", breaks)
    setup.click(1, 12, 13, 14)
    for _ in range(3):
        setup.worker.step()
        setup.worker._log.retry_unsettled()
    ((_, fields),) = setup.client.xrange(keys.DEAD_EVENTS)
    assert fields[b"reason"] == b"ZeroDivisionError: thirteen"
    assert setup.popular() == {12: 1.0, 14: 1.0}


def test_forget_me_stays_forgotten_through_a_replay(setup: Setup) -> None:
    setup.click(1, 12, 13)
    setup.click(2, 12)
    setup.drain()
    old = setup.client.xrange(keys.EVENTS)
    setup.clock.forward(10)
    moment = Forgetter(setup.client, setup.settings.seen, setup.clock).forget(1)
    setup.log.append([Event("forget", 1, -1, moment, event_type=FORGET)])
    setup.client.delete(*setup.client.keys("applied:*"))
    for _, fields in old:
        setup.client.xadd(keys.EVENTS, fields)
    setup.drain()
    left = [key for key in setup.client.keys("*:1*") if not key.startswith((b"popular", b"applied"))]
    assert left == [keys.forgotten(1).encode()]
    assert Recents(setup.client, setup.clock).of(2).tolist() == [12]
    setup.worker.flush()
    assert setup.store.offline[-1].top_category == -1
    setup.clock.forward(10)
    setup.click(1, 25)
    setup.drain()
    assert setup.store.served()[1] == 2
    assert Recents(setup.client, setup.clock).of(1).tolist() == [25]


def test_a_top_category_changes_while_nothing_happens(setup: Setup) -> None:
    setup.click(1, 12, 13)
    setup.clock.forward(3600)
    setup.click(1, 25)
    setup.drain()
    assert setup.store.served() == {1: 1}
    setup.clock.forward(DAY - 3600)
    setup.worker.step()
    assert setup.store.served() == {1: 1}
    setup.clock.forward(1)
    setup.worker.step()
    assert setup.store.served() == {1: 2}


WAITS = st.sampled_from([0, 1, 60, 3600, 6 * 3600, DAY, 2 * DAY])
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 39), WAITS), min_size=1, max_size=40)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS, st.integers(1, 10))
def test_a_replay_gives_what_training_computes(
    valkey: redis.Redis, tmp_path: Path, rows: list[tuple[int, int, int]], batch: int
) -> None:
    valkey.flushall()
    clock, store = Clock(), RecordingStore()
    setup = Setup(valkey, clock, store, tmp_path)
    asked: list[tuple[int, int, int]] = []
    for number, (user, item, wait) in enumerate(rows):
        clock.forward(wait)
        asked.append((user, clock() // 1000, ITEMS[item][0]))
        setup.click(user, item, name=f"e{number}")
        if number % batch == 0:
            setup.drain()
    setup.drain()
    users, times, categories = (np.array(column) for column in zip(*asked, strict=True))
    expected = top_category(users, times, categories).tolist()
    setup.worker.flush()
    told = sorted(store.offline, key=lambda change: change.timestamp)
    known = [
        next((row.top_category for row in reversed(told) if row.user_id == user and row.timestamp <= at), -1)
        for user, at in zip(users.tolist(), times.tolist(), strict=True)
    ]
    assert known == expected
    end = int(times.max()) + 3 * DAY
    clock.now_ms = end * 1000
    setup.drain()
    last = top_category(
        np.append(users, range(3)), np.append(times, [end] * 3), np.append(categories, [0] * 3),
        clicked=np.arange(len(users) + 3) < len(users),
    )[-3:].tolist()  # fmt: skip
    assert [store.served().get(user, -1) for user in range(3)] == last
