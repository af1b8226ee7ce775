from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import BadUse
from recsys.online.events import EVENT_TYPES, FORGET, Event

INT64 = st.integers(-(2**63), 2**63 - 1)
EVENTS = st.builds(
    Event,
    event_id=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128),
    user_id=INT64,
    item_id=INT64,
    at_ms=st.integers(0, 253_402_300_799_999),
    device_type=st.sampled_from([-1, 0, 1, 2]),
    event_type=st.sampled_from([*EVENT_TYPES, FORGET]),
)


@given(EVENTS)
def test_fields_carry_the_whole_event(event: Event) -> None:
    assert Event.from_fields(event.fields(), "1-0") == event


def test_an_entry_without_id_or_milliseconds_is_read_too() -> None:
    event = Event.from_fields({"user_id": "5", "item_id": "7", "timestamp": "1754006400"}, "17-0")
    assert event == Event("log:17-0", 5, 7, 1_754_006_400_000)


@given(EVENTS, EVENTS)
def test_digests_tell_ids_apart(one: Event, other: Event) -> None:
    assert (one.digest == other.digest) == (one.event_id == other.event_id)
    assert one.digest[0] in range(-(2**63), 2**63)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "timestamp"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "1_000"}, "user_id"),
        ({"user_id": "٣"}, "user_id"),
        ({"user_id": str(2**63)}, "user_id"),
        ({"item_id": "4.5"}, "item_id"),
        ({"at_ms": "-1"}, "at_ms"),
        ({"at_ms": "999999999999999"}, "at_ms"),
        ({"device_type": "3"}, "device_type"),
        ({"event_type": "stare"}, "event_type"),
        ({"event_id": "two words"}, "event_id"),
        ({"event_id": "x" * 129}, "event_id"),
    ],
)
def test_what_cannot_be_an_event_is_named(fields: dict[str, str], named: str) -> None:
    good = {"user_id": "1", "item_id": "2", "at_ms": "3"} if fields else {"user_id": "1", "item_id": "2"}
    with pytest.raises(BadUse, match=named):
        Event.from_fields({**good, **fields}, "1-0")
