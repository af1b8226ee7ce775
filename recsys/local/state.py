"""What runs on this machine for one home: `<home>/run/services.json`, and the lock that guards it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from recsys.errors import RecsysError
from recsys.local.process import Process

_POLL_S = 0.1


@dataclass(frozen=True)
class Running:
    """A service that was started.

    Attributes:
        process: Its process, which may have ended since.
        endpoints: Its addresses by name.
        log: Path of its log.
        release: The release it was started with, None where that does not matter.
    """

    process: Process
    endpoints: Mapping[str, str] = field(default_factory=dict)
    log: str = ""
    release: int | None = None


class StateFile:
    """The services that were started under one home.

    Args:
        home: The state folder of the system.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "run" / "services.json"

    def read(self) -> dict[str, Running]:
        """The started services by name; empty before the first start.

        Raises:
            RecsysError: The file was damaged.
        """
        try:
            document = json.loads(self.path.read_text())
            return {
                name: Running(Process(**entry.pop("process")), **entry) for name, entry in document.items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RecsysError(
                str(self.path), f"is damaged ({error})", "Stop what still runs by hand and remove the file"
            ) from error

    def write(self, services: Mapping[str, Running]) -> None:
        """Replace the file, in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(".tmp")
        scratch.write_text(json.dumps({name: asdict(entry) for name, entry in services.items()}, indent=2))
        scratch.replace(self.path)

    @contextmanager
    def locked(self, timeout_s: float = 300.0) -> Iterator[None]:
        """Hold the lock, so that two `recsys up` at once are one.

        Args:
            timeout_s: How long another holder is waited for, in seconds.

        Raises:
            RecsysError: Another holder kept it all the time.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + timeout_s
        try:
            while not _try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise RecsysError(
                        str(self.path.parent),
                        "another `recsys up` or `recsys down` is at work",
                        "Wait for it to end",
                    )
                time.sleep(_POLL_S)
            yield
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
