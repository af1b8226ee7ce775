"""`recsys event`: tell the system that a user did something with an item."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from recsys.cli.options import At, DeviceName, ItemId, Json, UserId, check_id, unix_seconds
from recsys.cli.output import print_json, results
from recsys.settings import get_settings


def event(
    *,
    user: UserId,
    item: ItemId,
    kind: Annotated[str, typer.Option("--type", help="What the user did.")] = "click",
    device: DeviceName = None,
    at: At = None,
    json: Json = False,
) -> None:
    """Record that a user clicked an item."""
    from recsys.local.events import append
    from recsys.local.services import require_ready, supervisor
    from recsys.schema import DEVICES, UNKNOWN

    seconds = unix_seconds(at) or int(time.time())
    fields: dict[str, int | str] = {
        "user_id": check_id(user, "--user"),
        "item_id": check_id(item, "--item"),
        "timestamp": seconds,
        "device_type": UNKNOWN if device is None else DEVICES[device.value],
        "event_type": kind,
    }
    url = require_ready(supervisor(get_settings()), "valkey")["url"]
    identity = append(url, fields)
    if json:
        print_json({"id": identity, **fields})
    else:
        results.print(f"Recorded {kind} of item {item} by user {user} as {identity}.")
