"""Reports an event to the system that runs on this machine."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal

from recsys.errors import RecsysError, Unavailable
from recsys.local.fill import settings_at
from recsys.local.services import require_ready, supervisor
from recsys.online.events import Event
from recsys.online.open_log import open_log
from recsys.schema import DEVICES
from recsys.settings import Settings
from recsys.valkey import connect

_TIMEOUT_S = 5.0


def record(event: Event, settings: Settings) -> Literal["gateway", "event log"]:
    """Hand an event to the gateway, or straight to the event log where no gateway runs.

    Args:
        event: What happened.
        settings: Home and the log.

    Returns:
        Which of the two took it.

    Raises:
        RecsysError: The gateway refused it.
        Unavailable: Neither the gateway nor Valkey answers.
    """
    at_work = supervisor(settings)
    gateway = at_work.status()["gateway"]
    key = settings.home / "gateway" / "key"  # a gateway with other keys leaves none here
    if gateway["state"] == "ready" and key.is_file():
        _post(gateway["http"], key, event)
        return "gateway"
    url = require_ready(at_work, "valkey")["url"]
    client = connect(settings_at(settings, url).valkey)
    try:
        open_log(settings, client).append([event])
    finally:
        client.close()
    return "event log"


def _post(address: str, key: Path, event: Event) -> None:
    device = next((name for name, number in DEVICES.items() if number == event.device_type), None)
    body = {
        "event_id": event.event_id,
        "user_id": event.user_id,
        "item_id": event.item_id,
        "timestamp": event.at_ms // 1000,
        "device_type": device,
        "event_type": event.event_type,
    }
    request = urllib.request.Request(
        f"http://{address}/v1/events",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "X-API-Key": key.read_text().strip()},
    )
    try:
        urllib.request.urlopen(request, timeout=_TIMEOUT_S).close()  # noqa: S310 - always http
    except urllib.error.HTTPError as error:
        raise RecsysError("event", _refusal(error), "Correct it, or see the gateway's log") from error
    except OSError as error:
        raise Unavailable("gateway", str(error), "Start it with `recsys up`") from error


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {error.code}"
