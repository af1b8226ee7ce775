"""The event log as an Amazon SQS standard queue, with a second queue for events that could not be applied.

A message that was received stays hidden for `claim_after_s`: that is the claim of the worker which has it. If
the worker dies, it comes to light again and another takes it. Delivery is at least once and in no order; the
worker's effects bear both.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from recsys.errors import Unavailable
from recsys.online.event_log import Delivery
from recsys.online.events import Event
from recsys.settings import EventSettings

_log = logging.getLogger(__name__)

_BATCH: Final = 10  # most messages of one call, as SQS has it
_TRIES: Final = 3
_REASON_LENGTH: Final = 500
_SHORTEST_CLAIM_S: Final = 1
_LONGEST_CLAIM_S: Final = 12 * 3600


class SqsLog:
    """Events in a queue of SQS.

    Args:
        client: boto3 client of SQS with time limits; see `open_client`.
        settings: The two queues' URLs.
        claim_after_s: How long a worker may hold an event before others get it.
    """

    def __init__(self, client: Any, settings: EventSettings, claim_after_s: float = 5.0) -> None:
        self._client = client
        self._queue = settings.sqs_queue_url
        self._dead_queue = settings.sqs_dead_letter_url
        self._claim_s = min(max(math.ceil(claim_after_s), _SHORTEST_CLAIM_S), _LONGEST_CLAIM_S)
        self._held: dict[str, Delivery] = {}
        self._give_back = False

    def append(self, events: Sequence[Event]) -> list[str]:
        """Write events; see `EventLog.append`. Messages that the queue turned down are sent again at once.

        Raises:
            Unavailable: The queue refused an event for good or did not answer; others may be in it.
        """
        ids: list[str] = []
        for batch in _batches(events):
            sent: dict[str, str] = {}
            waiting = {str(place): json.dumps(event.fields()) for place, event in enumerate(batch)}
            for _ in range(_TRIES):
                entries = [{"Id": place, "MessageBody": body} for place, body in waiting.items()]
                with _answering():
                    answer = self._client.send_message_batch(QueueUrl=self._queue, Entries=entries)
                for each in answer.get("Successful", []):
                    sent[each["Id"]] = each["MessageId"]
                    del waiting[each["Id"]]
                if not waiting:
                    break
            else:
                raise _refused(answer)
            ids += [sent[str(place)] for place in range(len(batch))]
        return ids

    def receive(self, limit: int, wait_s: float) -> list[Delivery]:
        """Take entries; see `EventLog.receive`."""
        if self._give_back:
            self._show_again()
        found: list[Delivery] = []
        while len(found) < limit:
            with _answering():
                answer = self._client.receive_message(
                    QueueUrl=self._queue,
                    MaxNumberOfMessages=min(_BATCH, limit - len(found)),
                    # Only the first call waits: what there is now is applied now.
                    WaitTimeSeconds=0 if found else math.ceil(wait_s),
                    VisibilityTimeout=self._claim_s,
                    AttributeNames=["ApproximateReceiveCount"],
                )
            messages = answer.get("Messages", [])
            found += [_delivery(message) for message in messages]
            if not messages:
                break
        self._held |= {delivery.log_id: delivery for delivery in found}
        return found

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Settle entries; see `EventLog.acknowledge`."""
        for batch in _batches(deliveries):
            entries = [{"Id": str(place), "ReceiptHandle": each.receipt} for place, each in enumerate(batch)]
            with _answering():
                answer = self._client.delete_message_batch(QueueUrl=self._queue, Entries=entries)
            for delivery in batch:
                self._held.pop(delivery.log_id, None)
            if failed := answer.get("Failed"):
                # They come again and have no second effect.
                _log.warning("%d events were not settled: %s", len(failed), failed[0].get("Code"))

    def set_aside(self, delivery: Delivery, reason: str) -> None:
        """Move an entry to the dead-letter queue; see `EventLog.set_aside`."""
        body = {
            **delivery.fields,
            "log_id": delivery.log_id,
            "attempts": str(delivery.attempts),
            "reason": reason[:_REASON_LENGTH],
        }
        with _answering():
            self._client.send_message(QueueUrl=self._dead_queue, MessageBody=json.dumps(body))
            self._client.delete_message(QueueUrl=self._queue, ReceiptHandle=delivery.receipt)
        self._held.pop(delivery.log_id, None)

    def retry_unsettled(self) -> None:
        """Have the next `receive` show what this worker holds to all workers again."""
        self._give_back = True

    def tidy(self) -> None:
        """Nothing is to be done: SQS drops what is settled."""

    def _show_again(self) -> None:
        for batch in _batches(list(self._held.values())):
            entries = [
                {"Id": str(place), "ReceiptHandle": each.receipt, "VisibilityTimeout": 0}
                for place, each in enumerate(batch)
            ]
            with _answering():
                # Where a claim has run out the message is to be seen already.
                self._client.change_message_visibility_batch(QueueUrl=self._queue, Entries=entries)
        self._held.clear()
        self._give_back = False


def open_client(settings: EventSettings, wait_s: float = 0.0) -> Any:
    """A client of SQS whose calls all have a time limit; credentials and region come from the environment.

    Args:
        settings: The queue's URL, which names its region, and the time limit.
        wait_s: How long a call may wait for a message besides.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=settings.sqs_timeout_s,
        read_timeout=settings.sqs_timeout_s + math.ceil(wait_s),
        retries={"total_max_attempts": 1},  # the caller has a breaker, and knows whether there is time
        max_pool_connections=16,
    )
    return boto3.client("sqs", region_name=_region(settings.sqs_queue_url), config=config)


def _region(url: str) -> str | None:
    """The region of https://sqs.<region>.amazonaws.com/…; None leaves it to the environment."""
    host = url.partition("://")[2].partition("/")[0].split(".")
    return host[1] if host[0] == "sqs" and len(host) > 3 else None


def _delivery(message: Any) -> Delivery:
    """A message as it is handed to the worker; of a body that is no event the worker says what is wrong."""
    try:
        body = json.loads(message["Body"])
    except ValueError:
        body = None
    fields = {name: str(value) for name, value in body.items()} if isinstance(body, dict) else {}
    if not fields:
        fields = {"body": str(message["Body"])[:_REASON_LENGTH]}
    attempts = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))
    return Delivery(message["MessageId"], fields, attempts, message["ReceiptHandle"])


def _refused(answer: Any) -> Unavailable:
    failed = answer["Failed"][0]
    cause = f"refused {len(answer['Failed'])} events ({failed.get('Code')}: {failed.get('Message', '')})"
    return Unavailable("event queue", " ".join(cause.split()), "Look at the queue in CloudWatch")


def _batches(things: Sequence[Any]) -> Iterator[list[Any]]:
    source = iter(things)
    while batch := list(islice(source, _BATCH)):
        yield batch


@contextmanager
def _answering() -> Iterator[None]:
    """Turn whatever boto3 raises into `Unavailable`."""
    try:
        yield
    except (BotoCoreError, ClientError, OSError) as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        raise Unavailable("event queue", cause, "Check its URL, the credentials and the network") from error
