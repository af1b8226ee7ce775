"""The local system as a fault drill needs it: each part can be paused, killed and brought back."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import redis
from pydantic import BaseModel

from recsys.errors import BadUse, Unavailable
from recsys.local import process
from recsys.local.ports import free_port
from recsys.local.valkey import ValkeyServer
from recsys.online.auth import create_key
from recsys.online.worker_process import is_alive
from recsys.release.store import ReleaseStore
from recsys.serving import repository
from recsys.serving.triton import TritonServer
from recsys.settings import Settings
from recsys.valkey import connect

_READY_S: Final = 90.0
_POLL_S: Final = 0.05


class System:
    """Valkey, Triton, worker and gateway of one home, on ports of their own.

    Args:
        home: Folder with at least one release; state is kept there.
        settings: What to change of the defaults; ports and addresses are chosen here.
        start_serving: Whether to start more than Valkey.
    """

    def __init__(self, home: Path, settings: Settings | None = None, *, start_serving: bool = True) -> None:
        self._start_serving = start_serving
        self.home = home.resolve()
        self.valkey = ValkeyServer(self.home / "valkey", free_port())
        given = settings or Settings()
        ports = {f"{name}_port": free_port() for name in ("http", "grpc", "metrics")}
        self._given = given.model_copy(
            update={"home": self.home, "serving": given.serving.model_copy(update=ports)}
        )
        self.settings = self._given
        self.gateway_port = free_port()
        self.token = ""
        self.triton: TritonServer | None = None
        self.worker: process.Process | None = None
        self.gateway: process.Process | None = None

    @property
    def url(self) -> str:
        """Where the gateway is."""
        return f"http://127.0.0.1:{self.gateway_port}"

    def __enter__(self) -> System:
        try:
            self.valkey.start()
            self.settings = self._located()
            if self._start_serving:
                self.start_triton()
                self.start_worker()
                self.start_gateway()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop everything that runs."""
        for each in (self.gateway, self.worker):
            if each is not None:
                each.stop()
        if self.triton is not None:
            self.triton.stop()
        self.valkey.stop()

    def client(self) -> redis.Redis:
        """A patient client of its Valkey."""
        return connect(self.settings.valkey.model_copy(update={"timeout_s": 5.0, "connect_timeout_s": 5.0}))

    def start_triton(self) -> None:
        """Serve the current release."""
        releases = self.home / "releases"
        number = ReleaseStore(releases).current()
        if number is None:
            raise BadUse(str(releases), "no release yet", "Make one with `recsys pipeline run full`")
        models = self.home / "triton" / "models"
        models.parent.mkdir(parents=True, exist_ok=True)
        repository.assemble(models, releases, number, self.settings.serving)
        self.triton = TritonServer(models, self.home / "triton", self.settings).start(_READY_S)

    def start_worker(self) -> None:
        """Start the behaviour worker; returns when it takes events."""
        with self.client() as client:
            client.delete(*(list(client.scan_iter("worker:*")) or ["none"]))
            self.worker = self._spawn("worker")
            self._wait("worker", self.worker, lambda: is_alive(client))

    def start_gateway(self) -> None:
        """Start the gateway; returns when it answers."""
        import urllib.request

        self.token = create_key(self.home / "gateway" / "keys.json")
        self.gateway = self._spawn("gateway")

        def answers() -> bool:
            try:
                # The address is this machine's own.
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=1) as answer:  # noqa: S310
                    return bool(answer.status == 200)
            except OSError:
                return False

        self._wait("gateway", self.gateway, answers)

    def kill(self, part: process.Process | None) -> None:
        """End a part and its children as `kill -9` does."""
        if part is not None:
            os.killpg(part.pid, signal.SIGKILL)
            part.wait(5)

    def pause(self, part: process.Process | None, seconds: float) -> None:
        """Stop a part's clock for a while, as a machine does that swaps or a disk that hangs."""
        if part is not None:
            os.kill(part.pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(part.pid, signal.SIGCONT)

    def _located(self) -> Settings:
        valkey = self._given.valkey.model_copy(update={"url": self.valkey.url})
        # All shoppers share one key; those who send a click again while Valkey is away would reach its limit.
        own = {"port": self.gateway_port, "keys_file": None, "rate_per_s": 1e6, "burst": 10**6}
        gateway = self._given.gateway.model_copy(update=own)
        return self._given.model_copy(update={"valkey": valkey, "gateway": gateway})

    def _spawn(self, name: str) -> process.Process:
        command = [sys.executable, "-m", f"recsys.online.{name}"]
        environment = {**os.environ, **variables(self.settings)}
        return process.spawn(command, self.home / "logs" / f"{name}.log", environment)

    def _wait(self, name: str, part: process.Process, ready: Any) -> None:
        deadline = time.monotonic() + _READY_S
        while not ready():
            if not part.alive() or time.monotonic() > deadline:
                log = self.home / "logs" / f"{name}.log"
                raise Unavailable(name, process.last_line(log) or "not ready in time", f"See {log}")
            time.sleep(_POLL_S)


def variables(settings: BaseModel, prefix: str = "RECSYS_") -> dict[str, str]:
    """Settings as the environment variables that give them.

    Args:
        settings: All or a section of them.
        prefix: What the variables' names begin with.
    """
    found: dict[str, str] = {}
    plain = settings.model_dump(mode="json")
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, BaseModel):
            found |= variables(section, f"{prefix}{name.upper()}__")
        elif section is not None:
            value = plain[name]
            found[f"{prefix}{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)
    return found
