"""A pod that started while a promotion went on comes to the release that is current by itself.

Its init container may have read the pointer just before it moved, and the promotion may have looked for
replicas just before this one was ready. So the agent looks at the pointer for itself until a promotion has
spoken to it, and the pod is not ready before that agrees.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Protocol

from recsys.errors import RecsysError
from recsys.release.remote import open_store
from recsys.serving.layout import Layout, only

if TYPE_CHECKING:  # the agent starts this
    from recsys.release.agent import Agent

_log = logging.getLogger(__name__)

_EVERY_S: Final = 5.0


class Server(Protocol):
    """What a pod serves with: a `Replica`, or a `PartServer`."""

    def add(self, number: int) -> None:
        """Load a release beside what is served."""
        ...

    def switch(self, number: int) -> None:
        """Answer from a release that is loaded."""
        ...

    def settle(self, layout: Layout) -> None:
        """Come to a layout from whatever was begun."""
        ...

    def serves(self, number: int) -> bool:
        """Whether a release answers."""
        ...


def keep_up(agent: Agent, replica: Server, source: str, pinned: int = 0, every_s: float = _EVERY_S) -> None:
    """Look at the pointer again and again; in a Triton's pod until a promotion takes over.

    Args:
        agent: Of this pod.
        replica: This pod's Triton.
        source: Root of the release store.
        pinned: The release that this pod was told to start on, whatever the pointer says; 0 for none.
        every_s: Seconds between looks.
    """
    while not agent.told.is_set():
        try:
            if look(agent, replica, source, pinned):
                agent.ready.set()
        except RecsysError as error:
            # Triton is still loading, or the store is away for a moment: what is served goes on being served.
            _log.warning("not caught up: %s", error)
        time.sleep(every_s)
    agent.ready.set()


def look(agent: Agent, replica: Server, source: str, pinned: int = 0) -> bool:
    """Come to the release that is current, if this pod is not on it.

    Args:
        agent: Of this pod.
        replica: This pod's Triton.
        source: Root of the release store.
        pinned: See `keep_up`.

    Returns:
        Whether this pod is on it now.

    Raises:
        RecsysError: The release cannot be brought here, or does not load.
    """
    current = pinned or open_store(source).current()
    if current is None:
        return False
    if not agent.has_models:
        agent.bring(current)
        return True
    if agent.read().ensemble != current and not agent.told.is_set():
        _log.warning("release %d is current and not served here: catching up", current)
        replica.add(current)
        replica.switch(current)
        replica.settle(only(current))
    return replica.serves(current)
