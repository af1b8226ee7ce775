from __future__ import annotations

import urllib.request

import redis
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from recsys.local.ports import free_port
from recsys.local.valkey import ValkeyServer
from recsys.online import keys
from recsys.online.worker import Counts
from recsys.online.worker_metrics import WorkerCollector, serve
from recsys.settings import Settings, ValkeySettings, WorkerSettings


def _asked(url: str, counts: Counts) -> dict[str, float]:
    settings = Settings(valkey=ValkeySettings(url=url), worker=WorkerSettings(metrics_port=0))
    with (
        serve(settings, counts) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer,
    ):
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {
        f"{sample.name}{sample.labels.get('outcome', '')}": sample.value
        for family in families
        for sample in family.samples
    }


def test_valkeys_numbers_and_the_workers_own(valkey_server: ValkeyServer) -> None:
    found = _asked(valkey_server.url, Counts(applied=7, set_aside=2))
    assert found["recsys_worker_events_totalapplied"] == 7
    assert found["recsys_worker_events_totalset_aside"] == 2
    assert found["recsys_valkey_up"] == 1
    assert found["recsys_valkey_memory_used_bytes"] > 0
    assert found["recsys_valkey_commands_total"] > 0
    assert found["recsys_valkey_evicted_keys_total"] == 0
    assert 0 < found["recsys_valkey_answer_seconds"] < 60


def test_events_count_as_waiting_until_they_are_settled(valkey: redis.Redis) -> None:
    registry = CollectorRegistry()
    registry.register(WorkerCollector(Counts(), valkey))

    def waiting() -> float | None:
        return registry.get_sample_value("recsys_worker_events_waiting")

    assert waiting() == 0
    valkey.xgroup_create(keys.EVENTS, "workers", id="0", mkstream=True)
    ids = [valkey.xadd(keys.EVENTS, {"event": n}) for n in range(3)]
    assert waiting() == 3
    valkey.xreadgroup("workers", "one", {keys.EVENTS: ">"}, count=2)
    assert waiting() == 3
    valkey.xack(keys.EVENTS, "workers", *ids[:2])
    assert waiting() == 1


def test_without_valkey_only_the_workers_own_are_left() -> None:
    found = _asked(f"redis://127.0.0.1:{free_port()}/0", Counts(applied=1))
    assert found["recsys_valkey_up"] == 0
    assert found["recsys_worker_events_totalapplied"] == 1
    assert "recsys_valkey_memory_used_bytes" not in found
