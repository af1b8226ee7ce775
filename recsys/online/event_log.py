"""The log that carries events from the gateway to the worker, whatever keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from recsys.online.events import Event


@dataclass(frozen=True)
class Delivery:
    """One entry of the log as handed to a worker.

    Attributes:
        log_id: The log's name for it, to acknowledge it by.
        fields: What was written; not checked yet.
        attempts: How many times it has been handed out, 1 at first.
        receipt: What the log needs besides to settle it.
    """

    log_id: str
    fields: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 1
    receipt: str = ""


class EventLog(Protocol):
    """An at-least-once log: what is not acknowledged is handed out again."""

    def append(self, events: Sequence[Event]) -> list[str]:
        """Write events; when this returns they are in the log, and when it raises they may be.

        Args:
            events: At most a few hundred.

        Returns:
            The log's name for each.

        Raises:
            Unavailable: The log did not answer in time or is full.
        """

    def receive(self, limit: int, wait_s: float) -> list[Delivery]:
        """Take entries: first what this worker left unsettled, then what silent workers left, then new ones.

        Args:
            limit: At most so many.
            wait_s: How long to wait for the first one.

        Raises:
            Unavailable: The log did not answer in time.
        """

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Settle entries that had their effect.

        Raises:
            Unavailable: The log did not answer in time.
        """

    def set_aside(self, delivery: Delivery, reason: str) -> None:
        """Settle an entry that cannot have its effect: it is kept with the reason, and not handed out again.

        Raises:
            Unavailable: The log did not answer in time.
        """

    def retry_unsettled(self) -> None:
        """Let the next `receive` hand out again what this worker has not settled."""

    def tidy(self) -> None:
        """Drop settled entries beyond what is kept; called now and then.

        Raises:
            Unavailable: The log did not answer in time.
        """
