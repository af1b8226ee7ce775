"""What a user did with an item, as it travels from the gateway to the behaviour worker."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from recsys.errors import BadUse
from recsys.schema import DEVICES, UNKNOWN
from recsys.tracing import TRACEPARENT

EVENT_TYPES: Final = ("view", "click", "cart", "purchase")
FORGET: Final = "forget"
"""Not something a user does with an item: all of the user's behaviour is to be deleted."""

_ID = re.compile(r"[\x21-\x7e]{1,128}")
_INT64 = range(-(2**63), 2**63)
_MS = range(253_402_300_800_000)  # up to the year 9999


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        event_id: Chosen by the client, or made for it; an id has its effect once. 1-128 visible ASCII signs.
        user_id: The shop's user.
        item_id: The shop's item.
        at_ms: When it happened, milliseconds since 1970.
        device_type: A value of `schema.DEVICES` or -1.
        event_type: One of `EVENT_TYPES`, or `FORGET`.
        traceparent: The span that accepted it, where requests are traced.
    """

    event_id: str
    user_id: int
    item_id: int
    at_ms: int
    device_type: int = UNKNOWN
    event_type: str = "click"
    traceparent: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.event_id):
            raise _bad("event_id", repr(self.event_id[:200]), "Use 1 to 128 visible ASCII characters")
        for name, known in (("user_id", _INT64), ("item_id", _INT64), ("at_ms", _MS)):
            value = getattr(self, name)
            if value not in known:
                raise _bad(name, f"{value} is out of range", f"Use {known.start} to {known.stop - 1}")
        if self.device_type not in (UNKNOWN, *DEVICES.values()):
            raise _bad("device_type", str(self.device_type), f"Use {sorted(DEVICES.values())} or {UNKNOWN}")
        if self.event_type not in (*EVENT_TYPES, FORGET):
            raise _bad("event_type", repr(self.event_type[:200]), f"Use one of {', '.join(EVENT_TYPES)}")

    @property
    def digest(self) -> tuple[int, int]:
        """Two independent hashes of the id: an int64 and one below 2**32."""
        digest = hashlib.blake2b(self.event_id.encode(), digest_size=12).digest()
        return int.from_bytes(digest[:8], "little", signed=True), int.from_bytes(digest[8:], "little")

    def fields(self) -> dict[str, str]:
        """The event as it is written to a log."""
        fields = {
            "event_id": self.event_id,
            "user_id": str(self.user_id),
            "item_id": str(self.item_id),
            "timestamp": str(self.at_ms // 1000),
            "at_ms": str(self.at_ms),
            "device_type": str(self.device_type),
            "event_type": self.event_type,
        }
        return fields | ({TRACEPARENT: self.traceparent} if self.traceparent else {})

    @classmethod
    def from_fields(cls, fields: Mapping[str, str], log_id: str) -> Event:
        """The event that a log's entry holds.

        Args:
            fields: At least user_id, item_id and at_ms or timestamp (unix seconds).
            log_id: Stands in for the event's id where it has none.

        Raises:
            BadUse: A field is missing or holds what it cannot hold.
        """
        if "at_ms" in fields:
            at_ms = _number("at_ms", fields["at_ms"])
        else:
            at_ms = 1000 * _number("timestamp", fields.get("timestamp", ""))
        return cls(
            event_id=fields.get("event_id") or f"log:{log_id}",
            user_id=_number("user_id", fields.get("user_id", "")),
            item_id=_number("item_id", fields.get("item_id", "")),
            at_ms=at_ms,
            device_type=_number("device_type", fields.get("device_type", str(UNKNOWN))),
            event_type=fields.get("event_type", "click"),
            traceparent=fields.get(TRACEPARENT, ""),
        )


def _number(name: str, text: str) -> int:
    # int() alone would take signs, blanks, underscores and digits of other scripts.
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise _bad(name, f"{text[:50]!r} is not a whole number", "Write it in decimal digits")
    return int(text)


def _bad(name: str, cause: str, fix: str) -> BadUse:
    return BadUse(f"event's {name}", cause, fix)
