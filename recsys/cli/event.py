"""`recsys event`: tell the system that a user did something with an item."""

from __future__ import annotations

import time
import uuid
from typing import Annotated

import typer

from recsys.cli.options import At, DeviceName, ItemId, Json, UserId, check_id, unix_seconds
from recsys.cli.output import print_json, results
from recsys.settings import get_settings


def event(
    *,
    user: UserId,
    item: ItemId,
    kind: Annotated[str, typer.Option("--type", help="view, click, cart or purchase.")] = "click",
    device: DeviceName = None,
    at: At = None,
    json: Json = False,
) -> None:
    """Record what a user did with an item."""
    from recsys.local.events import record
    from recsys.online.events import Event
    from recsys.schema import DEVICES, UNKNOWN

    seconds = unix_seconds(at)
    happened = Event(
        event_id=uuid.uuid4().hex,
        user_id=check_id(user, "--user"),
        item_id=check_id(item, "--item"),
        at_ms=time.time_ns() // 1_000_000 if seconds is None else seconds * 1000,
        device_type=UNKNOWN if device is None else DEVICES[device.value],
        event_type=kind,
    )
    way = record(happened, get_settings())
    if json:
        print_json({**happened.fields(), "way": way})
    else:
        results.print(f"Recorded {kind} of item {item} by user {user} through the {way}.")
