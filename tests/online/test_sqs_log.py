"""The event log on a real SQS API (moto's server): nothing lost, nothing held for ever, reasons kept."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from moto.server import ThreadedMotoServer
from pydantic import ValidationError
from starlette.testclient import TestClient

from recsys.errors import Unavailable
from recsys.online.auth import KeyStore, create_key
from recsys.online.event_log import Delivery
from recsys.online.events import Event
from recsys.online.gateway import create_app
from recsys.online.gateway_process import keys_path
from recsys.online.item_categories import ItemCategories
from recsys.online.open_log import open_log
from recsys.online.popularity import Popularity
from recsys.online.recents import Recents
from recsys.online.sqs_log import SqsLog, open_client
from recsys.online.stream_log import StreamLog
from recsys.online.worker import BehaviorWorker
from recsys.settings import EventSettings, GatewaySettings, Settings, ValkeySettings, WorkerSettings

from .conftest import Clock, RecordingStore, ShopHome, write_items

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """Address of an SQS API; the environment is as a pod on AWS finds it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        yield os.environ["AWS_ENDPOINT_URL"]
    server.stop()


@pytest.fixture
def settings(aws: str, request: pytest.FixtureRequest) -> EventSettings:
    """Two empty queues."""
    client = open_client(EventSettings(sqs_timeout_s=5))
    name = f"q{abs(hash(request.node.name)) % 10**9}-{time.monotonic_ns()}"
    urls = [client.create_queue(QueueName=f"{name}{end}")["QueueUrl"] for end in ("", "-dead")]
    return EventSettings(log="sqs", sqs_queue_url=urls[0], sqs_dead_letter_url=urls[1], sqs_timeout_s=5)


def make_log(settings: EventSettings, claim_after_s: float = 30.0) -> SqsLog:
    return SqsLog(open_client(settings), settings, claim_after_s)


def events(count: int, first: int = 0) -> list[Event]:
    return [Event(f"e{number}", 5, 1_000 + number, 10 * number) for number in range(first, first + count)]


def take(log: SqsLog, limit: int = 100) -> list[Delivery]:
    return log.receive(limit, 0.0)


def names(deliveries: list[Delivery]) -> list[str]:
    return sorted(delivery.fields["event_id"] for delivery in deliveries)


def test_events_arrive_whole_in_batches_of_any_size(settings: EventSettings) -> None:
    log, given = make_log(settings), events(23)
    ids = log.append(given)
    assert len(set(ids)) == 23
    found = take(log)
    assert {each.log_id for each in found} == set(ids)
    restored = {Event.from_fields(each.fields, each.log_id) for each in found}
    assert restored == set(given)
    assert {each.attempts for each in found} == {1}
    assert log.append([]) == []


def test_a_limit_is_kept_and_what_is_settled_does_not_come_back(settings: EventSettings) -> None:
    log = make_log(settings)
    log.append(events(25))
    first = take(log, 12)
    assert len(first) == 12
    log.acknowledge(first)
    rest = take(log)
    assert len(rest) == 13
    log.acknowledge(rest)
    log.retry_unsettled()
    assert take(log) == []


def test_what_a_silent_worker_holds_comes_to_light_and_is_counted(settings: EventSettings) -> None:
    silent, other = make_log(settings, claim_after_s=1), make_log(settings)
    silent.append(events(3))
    assert len(take(silent)) == 3
    assert take(other) == []
    found: list[Delivery] = []
    deadline = time.monotonic() + 10
    while len(found) < 3 and time.monotonic() < deadline:
        found += take(other)
    assert names(found) == ["e0", "e1", "e2"]
    assert {each.attempts for each in found} == {2}


def test_what_could_not_be_applied_is_tried_again_at_once(settings: EventSettings) -> None:
    log = make_log(settings)
    log.append(events(12))
    settled = take(log)
    log.acknowledge(settled[:5])
    log.retry_unsettled()
    again = take(log)
    assert names(again) == names(settled[5:])
    assert {each.attempts for each in again} == {2}


def test_what_is_set_aside_is_kept_with_its_reason(settings: EventSettings) -> None:
    log, client = make_log(settings), open_client(settings)
    log.append(events(1))
    (delivery,) = take(log)
    log.set_aside(delivery, "no such item" * 100)
    log.retry_unsettled()
    assert take(log) == []
    (dead,) = client.receive_message(QueueUrl=settings.sqs_dead_letter_url)["Messages"]
    kept = json.loads(dead["Body"])
    assert kept["event_id"] == "e0"
    assert kept["reason"].startswith("no such item")
    assert len(kept["reason"]) == 500
    assert (kept["attempts"], kept["log_id"]) == ("1", delivery.log_id)


@pytest.mark.parametrize("body", ["no json", "[1, 2]", "7", '{"user_id": {"a": 1}}'])
def test_a_body_that_is_no_event_reaches_the_worker_as_text(settings: EventSettings, body: str) -> None:
    client = open_client(settings)
    client.send_message(QueueUrl=settings.sqs_queue_url, MessageBody=body)
    (delivery,) = take(make_log(settings))
    assert all(isinstance(value, str) for value in delivery.fields.values())


class Refusing:
    """A queue that turns down some messages of a batch, as SQS does now and then."""

    def __init__(self, client: Any, refusals: int) -> None:
        self._client, self.refusals, self.calls = client, refusals, 0

    def send_message_batch(self, QueueUrl: str, Entries: list[dict]) -> dict:
        self.calls += 1
        if self.refusals:
            self.refusals -= 1
            failed = [
                {"Id": Entries[0]["Id"], "Code": "InternalError", "Message": "later", "SenderFault": False}
            ]
            answer = (
                self._client.send_message_batch(QueueUrl=QueueUrl, Entries=Entries[1:]) if Entries[1:] else {}
            )
            return {"Successful": answer.get("Successful", []), "Failed": failed}
        return self._client.send_message_batch(QueueUrl=QueueUrl, Entries=Entries)


def test_what_the_queue_turns_down_is_sent_again(settings: EventSettings) -> None:
    queue = Refusing(open_client(settings), refusals=2)
    log = SqsLog(queue, settings)
    assert len(log.append(events(10))) == 10
    assert queue.calls == 3
    assert names(take(make_log(settings))) == sorted(f"e{number}" for number in range(10))


def test_an_event_is_refused_when_the_queue_refuses_it(settings: EventSettings) -> None:
    queue = Refusing(open_client(settings), refusals=9)
    with pytest.raises(Unavailable, match="refused 1 events"):
        SqsLog(queue, settings).append(events(4))
    assert len(take(make_log(settings))) == 3


def test_a_queue_that_is_not_there_is_unavailable(settings: EventSettings) -> None:
    gone = settings.model_copy(update={"sqs_queue_url": f"{settings.sqs_queue_url}-gone"})
    log = make_log(gone)
    for call in (lambda: log.append(events(1)), lambda: take(log)):
        with pytest.raises(Unavailable, match="event queue") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_no_answer_takes_no_longer_than_the_time_limit(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    away = EventSettings(sqs_queue_url="http://127.0.0.1:1/1/q", sqs_timeout_s=0.2)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        SqsLog(open_client(away), away).append(events(1))
    assert time.monotonic() - began < 20


def test_the_region_is_the_queues_own(aws: str) -> None:
    url = "https://sqs.us-west-2.amazonaws.com/1/events"
    assert open_client(EventSettings(sqs_queue_url=url)).meta.region_name == "us-west-2"
    assert (
        open_client(EventSettings(sqs_queue_url="http://127.0.0.1:5000/1/q")).meta.region_name
        == "eu-central-1"
    )


def test_the_worker_applies_each_event_once_whatever_is_repeated(
    settings: EventSettings, valkey: redis.Redis, store: RecordingStore, clock: Clock
) -> None:
    """Twenty clicks, sent twice; a first worker dies with half of them in its hands."""
    write_items(valkey, {1_000 + number: (number % 3, number) for number in range(20)})
    clicks = [Event(f"e{n}", 5, 1_000 + n, clock.now_ms - 1_000 * n) for n in range(20)]
    gateway = make_log(settings)
    gateway.append(clicks)
    gateway.append(clicks)
    take(make_log(settings, claim_after_s=1), 20)
    own = Settings(events=settings, worker=WorkerSettings(wait_s=0.1))
    worker = BehaviorWorker(valkey, make_log(settings), store, own, now_ms=clock)
    deadline = time.monotonic() + 15
    while worker.counts.applied < 40 and time.monotonic() < deadline:
        worker.step()
    assert worker.counts.applied == 40
    assert worker.counts.set_aside == 0
    assert sorted(Recents(valkey, clock).of(5).tolist()) == list(range(1_000, 1_020))
    assert round(Popularity(valkey, own.popularity, clock).top(n=50).counts.sum(), 2) == pytest.approx(
        20, abs=0.2
    )


def test_an_unknown_item_is_tried_and_then_set_aside(
    settings: EventSettings, valkey: redis.Redis, store: RecordingStore, clock: Clock
) -> None:
    own = Settings(
        events=settings.model_copy(update={"max_attempts": 2}),
        worker=WorkerSettings(wait_s=0.1, claim_after_s=1),
    )
    make_log(settings).append([Event("lost", 5, 77, clock.now_ms)])
    worker = BehaviorWorker(valkey, make_log(settings, claim_after_s=1), store, own, now_ms=clock)
    worker._categories = ItemCategories(valkey, refresh_s=0)
    deadline = time.monotonic() + 15
    while not worker.counts.set_aside and time.monotonic() < deadline:
        worker.step()
    assert worker.counts.postponed == 1
    (dead,) = open_client(settings).receive_message(QueueUrl=settings.sqs_dead_letter_url)["Messages"]
    assert "item 77 is not in the feature store" in json.loads(dead["Body"])["reason"]


def test_the_settings_choose_the_log(settings: EventSettings, valkey: redis.Redis) -> None:
    assert isinstance(open_log(Settings(events=settings), valkey), SqsLog)
    assert isinstance(open_log(Settings(), valkey, "worker"), StreamLog)
    with pytest.raises(ValidationError, match="sqs_queue_url"):
        EventSettings(log="sqs")


def test_the_gateway_refuses_an_event_only_when_the_queue_does(
    settings: EventSettings, shop_home: ShopHome, valkey: redis.Redis
) -> None:
    port = valkey.connection_pool.connection_kwargs["port"]
    own = Settings(
        home=shop_home.path,
        events=settings,
        valkey=ValkeySettings(url=f"redis://127.0.0.1:{port}/0", timeout_s=2),
        gateway=GatewaySettings(triton="127.0.0.1:1"),
    )
    token = create_key(keys_path(own))
    event = {"event_id": "once", "user_id": 5, "item_id": 7}
    with TestClient(create_app(own, KeyStore(keys_path(own)))) as client:
        client.headers["authorization"] = f"Bearer {token}"
        assert client.post("/v1/events", json=event).status_code == 202
        assert names(take(make_log(settings))) == ["once"]
        open_client(settings).delete_queue(QueueUrl=settings.sqs_queue_url)
        refused = client.post("/v1/events", json=event)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert not valkey.exists("events")
