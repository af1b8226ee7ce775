"""What `recsys up` leaves behind: a process that starts again what ends, until `recsys down`.

It is known by `<home>/run/watcher.json` and ends when that file does not name it any more, so a home that was
removed stays removed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from recsys.local import process
from recsys.local.process import Process
from recsys.settings import Settings, get_settings

_NAMED_WITHIN_S = 30.0


def start(settings: Settings) -> Process:
    """Leave a watcher over a home's services; one that was there before is stopped.

    It takes its settings from this process's environment, as the services do.

    Args:
        settings: Whose home is meant.

    Raises:
        RecsysError: It cannot be started.
    """
    home = settings.home.resolve()
    stop(home)
    environment = {**os.environ, "RECSYS_HOME": str(home)}
    log = home / "logs" / "watcher.log"
    watcher = process.spawn([sys.executable, "-m", "recsys.local.watcher"], log, environment)
    scratch = _file(home).with_suffix(".tmp")
    scratch.parent.mkdir(parents=True, exist_ok=True)
    scratch.write_text(json.dumps(asdict(watcher)))
    scratch.replace(_file(home))
    return watcher


def stop(home: Path) -> None:
    """End a home's watcher, if there is one; the services stay as they are.

    Args:
        home: The state folder of the system.
    """
    watcher = _read(home.resolve())
    _file(home.resolve()).unlink(missing_ok=True)
    if watcher is not None:
        watcher.stop()


def is_watching(home: Path) -> bool:
    """Whether a home's watcher is at work."""
    watcher = _read(home.resolve())
    return watcher is not None and watcher.alive()


def main() -> None:
    """Watch over the services of the environment's home until stopped or replaced."""
    from recsys.local.services import supervisor

    settings = get_settings()
    home, ended = settings.home.resolve(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    own = process.find(os.getpid())
    deadline = time.monotonic() + _NAMED_WITHIN_S
    while _read(home) != own:  # The starter writes the file a moment after the start.
        if ended.wait(0.05) or time.monotonic() > deadline:
            return
    supervisor(settings).watch(
        lambda name, event: print(f"{name}: {event}", flush=True),
        lambda: ended.is_set() or _read(home) != own,
    )


def _file(home: Path) -> Path:
    return home / "run" / "watcher.json"


def _read(home: Path) -> Process | None:
    """The process that the file names; None where there is no file or it is damaged."""
    try:
        return Process(**json.loads(_file(home).read_text()))
    except (OSError, ValueError, TypeError):
        return None


if __name__ == "__main__":
    main()
