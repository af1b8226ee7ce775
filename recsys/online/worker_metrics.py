"""The behaviour worker's Prometheus metrics: what it has done, what waits, and Valkey's own numbers.

Valkey is asked when Prometheus asks, by one command with a time limit; every worker reports the same Valkey,
so a query takes the greatest of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import redis
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from recsys import valkey
from recsys.online import keys
from recsys.online.worker import Counts
from recsys.settings import Settings

_GAUGES: Final = {
    "used_memory": ("recsys_valkey_memory_used_bytes", "Memory that Valkey uses"),
    "maxmemory": ("recsys_valkey_memory_limit_bytes", "Memory that Valkey may use; 0: no limit"),
    "connected_clients": ("recsys_valkey_clients", "Connections to Valkey"),
}
_COUNTERS: Final = {
    "total_commands_processed": ("recsys_valkey_commands", "Commands that Valkey has run"),
    "keyspace_hits": ("recsys_valkey_hits", "Keys that were asked for and there"),
    "keyspace_misses": ("recsys_valkey_misses", "Keys that were asked for and not there"),
    "evicted_keys": ("recsys_valkey_evicted_keys", "Keys dropped for lack of memory: there should be none"),
}


class WorkerCollector:
    """Reads everything when it is asked.

    Args:
        counts: The worker's own.
        client: Client of Valkey with time limits.
    """

    def __init__(self, counts: Counts, client: redis.Redis) -> None:
        self._counts = counts
        self._client = client

    def collect(self) -> Iterator[Metric]:
        """Prometheus' families; Valkey's only while it answers."""
        events = CounterMetricFamily(
            "recsys_worker_events", "Events taken off the log, by what became of them", labels=["outcome"]
        )
        for outcome, count in vars(self._counts).items():
            events.add_metric([outcome], count)
        yield events
        began = time.perf_counter()
        try:
            said: dict[str, Any] = self._client.info()
            took = time.perf_counter() - began
            waiting = self._waiting()
        except redis.RedisError:
            yield GaugeMetricFamily("recsys_valkey_up", "Whether Valkey answers its worker", 0)
            return
        yield GaugeMetricFamily("recsys_valkey_up", "Whether Valkey answers its worker", 1)
        yield GaugeMetricFamily("recsys_valkey_answer_seconds", "Time of one command (INFO)", took)
        yield GaugeMetricFamily(
            "recsys_worker_events_waiting", "Events in the log without effect yet", waiting
        )
        for field, (name, does) in _GAUGES.items():
            yield GaugeMetricFamily(name, does, float(said[field]))
        for field, (name, does) in _COUNTERS.items():
            yield CounterMetricFamily(name, does, float(said[field]))

    def _waiting(self) -> int:
        """Events of the stream that no worker has settled; 0 where events are kept elsewhere."""
        if not self._client.exists(keys.EVENTS):
            return 0
        groups: list[dict[str, Any]] = self._client.xinfo_groups(keys.EVENTS)
        return sum(int(group.get("lag") or 0) + int(group["pending"]) for group in groups)


@contextmanager
def serve(settings: Settings, counts: Counts) -> Iterator[int]:
    """Answer Prometheus on a thread of its own until the block ends.

    Args:
        settings: Where to listen, and where Valkey is.
        counts: The worker's own.

    Yields:
        The port.

    Raises:
        OSError: The port is taken.
    """
    registry = CollectorRegistry()
    # A client of its own: the worker's waits for events longer than Prometheus waits for an answer.
    client = valkey.connect(settings.valkey)
    registry.register(WorkerCollector(counts, client))
    server, thread = start_http_server(settings.worker.metrics_port, settings.worker.metrics_host, registry)
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        client.close()
