"""The behaviour worker as a process: settings from the environment, signs of life, a clean stop."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Final

import redis

from recsys import valkey
from recsys.errors import Unavailable
from recsys.online import keys
from recsys.online.behavior_store import FeastBehaviorStore
from recsys.online.connection import answering
from recsys.online.logs import set_up_logging
from recsys.online.open_log import open_log
from recsys.online.worker import BehaviorWorker
from recsys.online.worker_metrics import serve
from recsys.settings import Settings, get_settings
from recsys.tracing import open_tracer

_log = logging.getLogger(__name__)

HEARTBEAT_S: Final = 1.0
HEARTBEAT_TTL_S: Final = 5
_NICE: Final = 5
_IDLE: Final = 19
_BACKOFF_S: Final = (0.1, 2.0)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    set_up_logging("worker")
    logging.getLogger("feast").setLevel(logging.WARNING)
    # Answers to shoppers come before what their clicks change.
    os.nice(_NICE)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(get_settings(), stop)


def run(settings: Settings, stop: threading.Event) -> None:
    """Apply events until told to stop; what is under way is finished first.

    Args:
        settings: Where Valkey is, batch size, time limits.
        stop: Set to stop.
    """
    name = settings.worker.name or socket.gethostname()
    patient = settings.valkey.model_copy(
        update={"timeout_s": settings.worker.wait_s + settings.worker.timeout_s}
    )
    client = valkey.connect(patient)
    store = FeastBehaviorStore(settings)
    tracer = open_tracer("recsys-worker")
    worker = BehaviorWorker(client, open_log(settings, client, name), store, settings, tracer=tracer)
    wait_s = _BACKOFF_S[0]
    opened = False
    heart = _Heart(client, name, worker)
    metrics = _measure(settings, worker)
    while not stop.is_set():
        try:
            if not opened:
                at_leisure(store.open)
                opened = True
                _log.info("worker %s takes events", name)
            heart.beat()
            worker.step()
            wait_s = _BACKOFF_S[0]
        except Unavailable as error:
            _log.warning("%s; trying again in %.1f s", error, wait_s)
            stop.wait(wait_s)
            wait_s = min(2 * wait_s, _BACKOFF_S[1])
    _finish(worker, client, name)
    metrics.close()
    tracer.close()


def at_leisure(work: Callable[[], None]) -> None:
    """Do something in a thread that gets only the processor time which nobody else wants.

    Importing Feast takes two seconds of a core: a worker that comes back while shoppers are waiting must not
    make them wait longer. Linux keeps niceness by thread, and only a thread's end takes it back.

    Args:
        work: What to do; whatever it raises is raised here.
    """

    def lazily() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _IDLE)
        work()

    with ThreadPoolExecutor(1, thread_name_prefix="opening") as threads:
        threads.submit(lazily).result()


def is_alive(client: redis.Redis) -> bool:
    """Whether any worker gave a sign of life within the last seconds.

    Args:
        client: Client of Valkey with time limits.

    Raises:
        redis.RedisError: Valkey did not answer.
    """
    return next(client.scan_iter(keys.worker("*"), count=1_000), None) is not None


def forget_signs_of_life(client: redis.Redis) -> None:
    """Take away what workers left: one that ended a moment ago would stand in for one that starts now.

    Those that still run write theirs again within `HEARTBEAT_S`.

    Args:
        client: Client of Valkey with time limits.

    Raises:
        redis.RedisError: Valkey did not answer.
    """
    for key in client.scan_iter(keys.worker("*"), count=1_000):
        client.delete(key)


def _measure(settings: Settings, worker: BehaviorWorker) -> ExitStack:
    """Answers Prometheus until it is closed."""
    metrics = ExitStack()
    try:
        _log.info("metrics on port %d", metrics.enter_context(serve(settings, worker.counts)))
    except OSError as error:
        # Events matter more than numbers about them.
        _log.warning("no metrics: port %d cannot be opened (%s)", settings.worker.metrics_port, error)
    return metrics


class _Heart:
    """Writes the sign of life, at most once a second."""

    def __init__(self, client: redis.Redis, name: str, worker: BehaviorWorker) -> None:
        self._client = client
        self._name = name
        self._worker = worker

    def beat(self) -> None:
        state: dict[str, Any] = {"pid": os.getpid(), **vars(self._worker.counts)}
        with answering():
            self._client.set(keys.worker(self._name), json.dumps(state), ex=HEARTBEAT_TTL_S)


def _finish(worker: BehaviorWorker, client: redis.Redis, name: str) -> None:
    try:
        worker.flush()
        client.delete(keys.worker(name))
    except (Unavailable, redis.RedisError) as error:
        # Nothing is lost: what waits for the offline store waits in Valkey.
        _log.warning("stopped without a last write to the offline store: %s", error)
    _log.info("worker %s stopped after %d events", name, worker.counts.applied)
