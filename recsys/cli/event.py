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
    from recsys.local.fill import settings_at
    from recsys.local.services import require_ready, supervisor
    from recsys.online.events import Event
    from recsys.online.stream_log import StreamLog
    from recsys.schema import DEVICES, UNKNOWN
    from recsys.valkey import connect

    seconds = unix_seconds(at)
    recorded = Event(
        event_id=uuid.uuid4().hex,
        user_id=check_id(user, "--user"),
        item_id=check_id(item, "--item"),
        at_ms=time.time_ns() // 1_000_000 if seconds is None else seconds * 1000,
        device_type=UNKNOWN if device is None else DEVICES[device.value],
        event_type=kind,
    )
    settings = get_settings()
    url = require_ready(supervisor(settings), "valkey")["url"]
    client = connect(settings_at(settings, url).valkey)
    StreamLog(client, settings.events).append([recorded])
    client.close()
    if json:
        print_json(recorded.fields())
    else:
        results.print(f"Recorded {kind} of item {item} by user {user} as {recorded.event_id}.")
