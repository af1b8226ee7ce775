from __future__ import annotations

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.errors import Unavailable
from recsys.local.ports import free_port
from recsys.online import keys
from recsys.online.events import Event
from recsys.online.stream_log import GROUP, StreamLog
from recsys.settings import EventSettings, ValkeySettings
from recsys.valkey import connect

CHOSEN = EventSettings(max_length=20)


def events(first: int, count: int) -> list[Event]:
    return [Event(f"e{number}", 1, number, 1000) for number in range(first, first + count)]


def items(deliveries: list) -> list[str]:
    return [delivery.fields["item_id"] for delivery in deliveries]


def log(client: redis.Redis, name: str = "a", claim_after_s: float = 60.0) -> StreamLog:
    made = StreamLog(client, CHOSEN, name, claim_after_s)
    made.receive(1, 0.001)  # makes the group
    return made


def test_events_come_in_order_and_once_when_acknowledged(valkey: redis.Redis) -> None:
    one = log(valkey)
    names = one.append(events(0, 5))
    first, second = one.receive(3, 0.01), one.receive(3, 0.01)
    assert [each.log_id for each in first + second] == names
    assert items(first + second) == list("01234")
    one.acknowledge(first + second)
    one.retry_unsettled()
    assert one.receive(3, 0.001) == []


def test_unsettled_events_come_again_with_their_attempts(valkey: redis.Redis) -> None:
    one = log(valkey)
    one.append(events(0, 3))
    one.acknowledge(one.receive(1, 0.01))
    one.receive(9, 0.01)
    one.retry_unsettled()
    again = one.receive(9, 0.01)
    assert items(again) == ["1", "2"]
    assert [each.attempts for each in again] == [2, 2]


def test_a_worker_of_the_same_name_goes_on_where_the_last_one_died(valkey: redis.Redis) -> None:
    one = log(valkey)
    one.append(events(0, 2))
    one.receive(9, 0.01)
    assert items(StreamLog(valkey, CHOSEN, "a", 60).receive(9, 0.01)) == ["0", "1"]


def test_what_a_dead_worker_left_is_taken_over(valkey: redis.Redis) -> None:
    dead = log(valkey, "dead")
    dead.append(events(0, 7))
    assert len(dead.receive(9, 0.01)) == 7
    heir = StreamLog(valkey, CHOSEN, "heir", claim_after_s=0.0)
    taken = heir.receive(3, 0.01) + heir.receive(3, 0.01) + heir.receive(3, 0.01)
    assert items(taken) == list("0123456")
    assert {each.attempts for each in taken} == {2}


def test_a_living_worker_keeps_its_events(valkey: redis.Redis) -> None:
    busy = log(valkey, "busy")
    busy.append(events(0, 2))
    busy.receive(9, 0.01)
    other = StreamLog(valkey, CHOSEN, "other", 60, clock=iter([0.0, 1e9, 2e9, 3e9]).__next__)
    assert other.receive(9, 0.001) == []


def test_dead_events_are_kept_with_the_reason(valkey: redis.Redis) -> None:
    one = log(valkey)
    one.append(events(0, 1))
    (delivery,) = one.receive(9, 0.01)
    one.set_aside(delivery, "because " * 1000)
    one.retry_unsettled()
    assert one.receive(9, 0.001) == []
    ((_, fields),) = valkey.xrange(keys.DEAD_EVENTS)
    assert fields[b"item_id"] == b"0"
    assert fields[b"reason"].startswith(b"because because")


def test_a_full_log_refuses_events_until_some_are_acknowledged(valkey: redis.Redis) -> None:
    one = log(valkey)
    one.append(events(0, 15))
    with pytest.raises(Unavailable, match="full"):
        one.append(events(15, 6))
    assert valkey.xlen(keys.EVENTS) == 15  # none of the six was written
    one.acknowledge(one.receive(10, 0.01))
    one.append(events(15, 6))
    rest = one.receive(99, 0.01)
    assert items(rest) == [str(number) for number in range(10, 21)]


def test_a_log_without_a_worker_refuses_too(valkey: redis.Redis) -> None:
    one = StreamLog(valkey, CHOSEN)
    one.append(events(0, 20))
    with pytest.raises(Unavailable, match="full"):
        one.append(events(20, 1))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["append", "receive", "acknowledge", "tidy", "die"]), max_size=40))
def test_no_accepted_event_is_ever_lost(valkey: redis.Redis, actions: list[str]) -> None:
    valkey.flushall()
    one, held, accepted, settled = log(valkey), [], [], set()
    for number, action in enumerate(actions):
        if action == "append":
            try:
                one.append(events(3 * number, 3))
                accepted += range(3 * number, 3 * number + 3)
            except Unavailable:
                assert len(accepted) - len(settled) + 3 > CHOSEN.max_length - 1
        elif action == "receive":
            held += one.receive(2, 0.001)
        elif action == "acknowledge" and held:
            one.acknowledge(held[:1])
            settled.add(int(held.pop(0).fields["item_id"]))
        elif action == "tidy":
            one.tidy()
        elif action == "die":
            one, held = StreamLog(valkey, CHOSEN, "a", 60), []
    final, left = StreamLog(valkey, CHOSEN, "a", 60), set()
    while found := final.receive(100, 0.001):
        left |= {int(name) for name in items(found)}
    assert left == set(accepted) - settled


def test_tidy_drops_what_is_acknowledged_and_nothing_else(valkey: redis.Redis) -> None:
    one = log(valkey)
    one.append(events(0, 10))
    taken = one.receive(6, 0.01)
    one.acknowledge(taken[:2] + taken[3:])
    one.tidy()
    assert next(fields[b"item_id"] for _, fields in valkey.xrange(keys.EVENTS)) == b"2"
    one.acknowledge(taken[2:3])
    one.tidy()
    assert [fields[b"item_id"] for _, fields in valkey.xrange(keys.EVENTS)] == [b"6", b"7", b"8", b"9"]
    assert items(one.receive(99, 0.01)) == list("6789")


def test_an_entry_deleted_under_a_worker_is_settled(valkey: redis.Redis) -> None:
    one = log(valkey)
    names = one.append(events(0, 2))
    one.receive(9, 0.01)
    valkey.xdel(keys.EVENTS, names[0])
    one.retry_unsettled()
    assert items(one.receive(9, 0.01)) == ["1"]
    assert valkey.xpending(keys.EVENTS, GROUP)["pending"] == 1


def test_a_server_that_is_not_there() -> None:
    one = StreamLog(connect(ValkeySettings(url=f"redis://127.0.0.1:{free_port()}/0")), CHOSEN)
    with pytest.raises(Unavailable):
        one.append(events(0, 1))
    with pytest.raises(Unavailable):
        one.receive(1, 0.01)
