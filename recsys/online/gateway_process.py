"""The gateway as a process: uvicorn, settings from the environment, a first key where there is none."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

import uvicorn

from recsys.errors import BadData
from recsys.local.ports import choose_port
from recsys.online.auth import KeyStore, create_key
from recsys.online.gateway import create_app
from recsys.online.logs import set_up_logging
from recsys.settings import Settings, get_settings

_log = logging.getLogger(__name__)

_BACKLOG = 1_024
_STOP_S = 5
_COLLECT_AFTER = (20_000, 20, 20)
"""A request makes a few hundred objects, none of them in a cycle: by default every other one would pay."""


def main() -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    set_up_logging("gateway")
    settings = get_settings()
    gateway = settings.gateway
    app = create_app(settings, open_keys(settings))
    port = choose_port(gateway.port, "the gateway", "RECSYS_GATEWAY__PORT", gateway.host)
    config = uvicorn.Config(
        app,
        host=gateway.host,
        port=port,
        log_config=None,
        access_log=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_STOP_S,
        server_header=False,
    )
    server = _Server(config)
    with suppress(KeyboardInterrupt):  # SIGINT, which uvicorn raises again once it has stopped
        server.run()
    if not server.started:
        sys.exit(1)


class _Server(uvicorn.Server):
    """Uvicorn, with a garbage collector that does not look through the catalogue again and again."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; what is loaded by then stays."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)


def keys_path(settings: Settings) -> Path:
    """The file of hashed API keys."""
    return settings.gateway.keys_file or settings.home / "gateway" / "keys.json"


def first_key_path(settings: Settings) -> Path:
    """Where the key is written that is made on a machine that has none."""
    return settings.home / "gateway" / "key"


def open_keys(settings: Settings) -> KeyStore:
    """The keys; on this machine a first one is made and left where only its owner can read it.

    Args:
        settings: Profile, home and the keys' file.

    Raises:
        BadData: The file is damaged, or missing anywhere but on a local system.
    """
    path = keys_path(settings)
    if not path.exists() and settings.profile == "local" and settings.gateway.keys_file is None:
        token, key = create_key(path, name="first key of this machine"), first_key_path(settings)
        key.unlink(missing_ok=True)
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token)
        _log.info("made a first API key: %s", key)
    if not path.exists():
        raise BadData(str(path), "no API keys", "Mount the keys' file, or set RECSYS_GATEWAY__KEYS_FILE")
    return KeyStore(path)
