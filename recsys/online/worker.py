"""The behaviour worker: takes events off the log and gives them their effect.

An event is acknowledged after its effects are written. They can be written again without harm: counts and
windows in one script that knows the ids it has seen (`effects`), the seen filter and top categories
because they come out the same. So delivery is at least once and the effect exactly once.

    python -m recsys.online.worker
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import redis

from recsys.errors import BadUse, Unavailable
from recsys.online.behavior_store import BehaviorLog, BehaviorStore
from recsys.online.clock import Clock, wall_ms
from recsys.online.effects import Click, Effects
from recsys.online.event_log import Delivery, EventLog
from recsys.online.events import FORGET, Event
from recsys.online.forget import Forgetter
from recsys.online.item_categories import ItemCategories
from recsys.online.seen import SeenFilter
from recsys.online.top_categories import Change, News, TopCategories
from recsys.schema import TOP_CATEGORY_WINDOW_S, UNKNOWN
from recsys.settings import Settings
from recsys.tracing import TRACEPARENT, NoTracer, Tracer

_log = logging.getLogger(__name__)

_TIDY_S: Final = 5.0
_DUE_LIMIT: Final = 1_000


@dataclass
class Counts:
    """What a worker has done since it started."""

    applied: int = 0
    set_aside: int = 0
    postponed: int = 0


class BehaviorWorker:
    """One worker; any number may share a log.

    Args:
        client: Client of Valkey with time limits.
        log: Where events come from.
        store: Where top categories go.
        settings: Batch size, time limits, half-lives.
        now_ms: Clock, milliseconds since 1970.
        clock: Monotonic seconds.
        tracer: Makes a span of each batch, linked to the spans that accepted its events.
    """

    def __init__(
        self,
        client: redis.Redis,
        log: EventLog,
        store: BehaviorStore,
        settings: Settings,
        *,
        now_ms: Clock = wall_ms,
        clock: Callable[[], float] = time.monotonic,
        tracer: Tracer | None = None,
    ) -> None:
        self._log = log
        self._tracer = tracer or NoTracer()
        self._store = store
        self._settings = settings
        self._now_ms = now_ms
        self._clock = clock
        self._categories = ItemCategories(client)
        self._effects = Effects(client, settings.events, settings.popularity, now_ms, settings.recents)
        self._seen = SeenFilter(client, settings.seen, now_ms)
        self._top_categories = TopCategories(client)
        self._history = BehaviorLog(client)
        self._forgetter = Forgetter(client, settings.seen, now_ms)
        self._tidy_at = clock()
        self._flush_at = clock() + settings.worker.offline_s
        self.counts = Counts()

    def step(self) -> int:
        """Take one batch of events and apply it, then whatever else is due.

        Returns:
            How many events were taken.

        Raises:
            Unavailable: Valkey or the feature store did not answer; unsettled events come again.
        """
        try:
            deliveries = self._log.receive(self._settings.worker.batch, self._settings.worker.wait_s)
            if deliveries:
                links = [each.fields[TRACEPARENT] for each in deliveries if TRACEPARENT in each.fields]
                with self._tracer.span("apply events", "consumer", links=links) as span:
                    span.note("messaging.batch.message_count", len(deliveries))
                    self._settle(deliveries)
            else:
                # All that happened until now is applied, so clicks that left the window by now did.
                self._advance(self._now_ms() // 1000)
        except Unavailable:
            self._log.retry_unsettled()
            raise
        self._housekeeping()
        return len(deliveries)

    def apply(self, events: Sequence[Event]) -> None:
        """Give events their effect; again is harmless.

        Args:
            events: In the order they were accepted; their items are known.

        Raises:
            KeyError: An item is not known.
            Unavailable: Valkey or the feature store did not answer.
        """
        for run in _runs(events):
            self._advance(min(event.at_ms for event in run) // 1000)
            clicks = [event for event in run if event.event_type != FORGET]
            known = self._categories.of(event.item_id for event in clicks)
            self._effects.apply([Click(event, *known[event.item_id]) for event in clicks])
            self._seen.add_events(
                [event.user_id for event in clicks],
                [event.item_id for event in clicks],
                [event.at_ms for event in clicks],
            )
            since: dict[int, int] = {}
            for event in clicks:
                at = event.at_ms // 1000
                since[event.user_id] = min(since.get(event.user_id, at), at)
            self._publish(self._top_categories.news(since))
            self._clear([event for event in run if event.event_type == FORGET])

    def flush(self) -> int:
        """Write the waiting top categories to the offline store.

        Returns:
            How many.

        Raises:
            Unavailable: Valkey or the store did not answer; they go on waiting.
        """
        return self._history.flush(self._store)

    def _settle(self, deliveries: Sequence[Delivery]) -> None:
        """Apply deliveries; set those aside that cannot be, leave those that cannot be yet."""
        readable = []
        for delivery in deliveries:
            try:
                readable.append((delivery, Event.from_fields(delivery.fields, delivery.log_id)))
            except BadUse as error:
                self._set_aside(delivery, str(error))
        known = self._categories.of(event.item_id for _, event in readable)
        ready = []
        for delivery, event in readable:
            if event.item_id in known or event.event_type == FORGET:
                ready.append((delivery, event))
            elif delivery.attempts >= self._settings.events.max_attempts:
                self._set_aside(delivery, f"item {event.item_id} is not in the feature store")
            else:
                # The item may be new: it is asked for again when the event is taken over.
                self.counts.postponed += 1
        self._apply_all(ready)

    def _apply_all(self, ready: Sequence[tuple[Delivery, Event]]) -> None:
        try:
            self.apply([event for _, event in ready])
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001
            # Whatever one event can break must not stop the others, nor come back for ever.
            if len(ready) == 1:
                delivery = ready[0][0]
                _log.exception("event %s failed, attempt %d", delivery.log_id, delivery.attempts)
                if delivery.attempts >= self._settings.events.max_attempts:
                    self._set_aside(delivery, f"{type(error).__name__}: {error}")
                return
            for pair in ready:
                self._apply_all([pair])
            return
        self._log.acknowledge([delivery for delivery, _ in ready])
        self.counts.applied += len(ready)

    def _set_aside(self, delivery: Delivery, reason: str) -> None:
        _log.warning("event %s set aside: %s", delivery.log_id, reason)
        self._log.set_aside(delivery, reason)
        self.counts.set_aside += 1

    def _advance(self, until: int) -> None:
        """Follow top categories that changed by a time because clicks left the window."""
        while since := self._top_categories.due(until, _DUE_LIMIT):
            self._publish(self._top_categories.news(since, until))

    def _publish(self, news: News) -> None:
        self._store.write_online(news.current)
        self._history.append(news.history)
        self._top_categories.schedule(news)

    def _clear(self, requests: Sequence[Event]) -> None:
        """Finish what users asked for who want to be forgotten."""
        for event in requests:
            self._forgetter.clear_features(event.user_id)
            self._history.append([Change(event.user_id, UNKNOWN, event.at_ms // 1000 + 1)])

    def _housekeeping(self) -> None:
        now = self._clock()
        if now >= self._tidy_at:
            self._log.tidy()
            self._tidy_at = now + _TIDY_S
        if now >= self._flush_at:
            self._flush_at = now + self._settings.worker.offline_s
            self.flush()


def _runs(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Cuts a batch so that no part spans a window: within one, each moment's top category is worked out."""
    run: list[Event] = []
    first = last = 0
    for event in events:
        first, last = (min(first, event.at_ms), max(last, event.at_ms)) if run else (event.at_ms, event.at_ms)
        if last - first >= TOP_CATEGORY_WINDOW_S * 1000:
            yield run
            run, first, last = [], event.at_ms, event.at_ms
        run.append(event)
    if run:
        yield run


if __name__ == "__main__":
    from recsys.online.worker_process import main

    main()
