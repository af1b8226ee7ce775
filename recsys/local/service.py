"""What the supervisor needs to know about one service: how to start it, when it is ready, when to retry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recsys.local.process import last_line
from recsys.settings import Settings

Endpoints = Mapping[str, str]
"""Addresses of a service by name, such as {"http": "127.0.0.1:8000"}."""


@dataclass(frozen=True)
class Context:
    """What is known when a service is started.

    Attributes:
        settings: The process's settings; `home` is absolute.
        release: The number of the release to serve, None before the first.
        endpoints: Endpoints of the services that were started before, by service.
        previous: Endpoints that this service had when it last ran, empty at first.
    """

    settings: Settings
    release: int | None = None
    endpoints: Mapping[str, Endpoints] = field(default_factory=dict)
    previous: Endpoints = field(default_factory=dict)

    @property
    def releases(self) -> Path:
        """Folder of the releases."""
        return self.settings.home / "releases"


@dataclass(frozen=True)
class Launch:
    """One start of a service.

    Attributes:
        command: Program and arguments.
        endpoints: Where it will be reached.
        env: Environment variables on top of this process's own.
    """

    command: list[str]
    endpoints: Endpoints
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Backoff:
    """How long to wait before a service that ended is started again: doubling, with a ceiling.

    Attributes:
        first_s: Wait after the first failure, in seconds.
        ceiling_s: Longest wait, in seconds.
        forgiven_s: A service that ran this long before it ended starts from the first wait again.
    """

    first_s: float = 0.5
    ceiling_s: float = 30.0
    forgiven_s: float = 60.0

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row (1 or more)."""
        return min(self.ceiling_s, self.first_s * 2.0 ** min(failures - 1, 30))


@dataclass(frozen=True)
class Service:
    """One service of the local system.

    Attributes:
        name: Its name in `recsys status`.
        plan: Chooses ports and prepares files; raises RecsysError when it cannot be started.
        is_ready: Whether the service at these endpoints answers. Called often; must have a time limit.
        after_ready: Fills it once it answers, at every `up`, such as features into Valkey; does nothing when
            that is done already. Its second argument is told what it does.
        last_words: Why it ended, from its log and the byte at which this start's part begins.
        needs: Services that must be started before it, and whose restart elsewhere restarts it.
        serves_release: Whether it is started anew when another release is current.
        ready_timeout_s: How long it may take to get ready, in seconds.
        backoff: Waits between restarts while somebody watches.
    """

    name: str
    plan: Callable[[Context], Launch]
    is_ready: Callable[[Endpoints], bool]
    after_ready: Callable[[Context, Callable[[str], None]], None] | None = None
    last_words: Callable[[Path, int], str] = last_line
    needs: tuple[str, ...] = ()
    serves_release: bool = False
    ready_timeout_s: float = 60.0
    backoff: Backoff = Backoff()
