"""Opens the event log that the settings choose."""

from __future__ import annotations

import redis

from recsys.online.event_log import EventLog
from recsys.online.stream_log import StreamLog
from recsys.settings import Settings


def open_log(settings: Settings, client: redis.Redis, consumer: str = "") -> EventLog:
    """The event log.

    Args:
        settings: Which log, and its address.
        client: Client of Valkey, for a stream.
        consumer: Name of the worker that reads it; a gateway only writes and has none.
    """
    claim_after_s = settings.worker.claim_after_s
    if settings.events.log == "sqs":
        # Where a stream is read, boto3 need not be there.
        from recsys.online.sqs_log import SqsLog, open_client

        wait_s = settings.worker.wait_s if consumer else 0.0
        return SqsLog(open_client(settings.events, wait_s), settings.events, claim_after_s)
    return StreamLog(client, settings.events, consumer or "gateway", claim_after_s)
